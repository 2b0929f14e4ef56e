"""What the edge remembers of relay orders, across restarts: kept in the spool's file."""

from dataclasses import dataclass
from datetime import UTC, datetime

from collectors.spool import Spool
from ledger import wire
from ledger.values.instants import in_utc, parse_instant

# Older orders of a supply than these are forgotten; a repeat of one is answered `superseded` then.
_ORDERS_KEPT_PER_SUPPLY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """An order that was accepted: its result, or None while there is none."""

    result: wire.RelayResult | None


class OrderMemory:
    """Accepted orders with their results, and the newest time that the ledger has signed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.begun_at = datetime.fromtimestamp(spool.begun_at_s, UTC)

    def find(self, order: wire.RelayCommand) -> Remembered | None:
        """Return what is remembered of this very order."""
        with self._spool.transaction() as db:
            row = db.execute(
                "SELECT result FROM orders WHERE supply = ? AND order_id = ?", (order.supply, str(order.order))
            ).fetchone()
        if row is None:
            return None
        return Remembered(result=None if row[0] is None else wire.decode_result(row[0]))

    def highest_sequence(self, supply: str) -> int:
        """Return the highest sequence accepted for a supply, 0 before the first."""
        with self._spool.transaction() as db:
            row = db.execute("SELECT max(sequence) FROM orders WHERE supply = ?", (supply,)).fetchone()
        return int(row[0] or 0)

    def accept(self, order: wire.RelayCommand) -> None:
        """Remember durably that an order is accepted, before anything is written to its meter."""
        with self._spool.transaction() as db:
            db.execute("INSERT INTO orders VALUES (?, ?, ?, NULL)", (order.supply, order.sequence, str(order.order)))
            db.execute(
                "DELETE FROM orders WHERE supply = ?1 AND sequence <= (SELECT sequence FROM orders WHERE supply = ?1 "
                "ORDER BY sequence DESC LIMIT 1 OFFSET ?2)",
                (order.supply, _ORDERS_KEPT_PER_SUPPLY),
            )

    def conclude(self, order: wire.RelayCommand, result: wire.RelayResult) -> None:
        """Remember an order's result, where it was accepted, and put it in the lane to the ledger."""
        message = wire.encode(result)
        with self._spool.transaction() as db:
            db.execute(
                "UPDATE orders SET result = ? WHERE supply = ? AND order_id = ? AND result IS NULL",
                (message, order.supply, str(order.order)),
            )
            db.execute("INSERT INTO results (concentrator, message) VALUES (?, ?)", (result.concentrator, message))

    def newest_issued_at(self) -> datetime | None:
        """Return the newest time of issue in any authentic order, None before the first."""
        with self._spool.transaction() as db:
            row = db.execute("SELECT value FROM meta WHERE key = 'newest-issued-at'").fetchone()
        return parse_instant(row[0]) if row else None

    def note_issued_at(self, issued_at: datetime) -> None:
        """Remember a signed time of issue if it is the newest."""
        newest = self.newest_issued_at()
        if newest is None or issued_at > newest:
            with self._spool.transaction() as db:
                db.execute(
                    "INSERT OR REPLACE INTO meta VALUES ('newest-issued-at', ?)", (in_utc(issued_at).isoformat(),)
                )
