"""The gate: the one row that every writer of events locks, so that positions become visible in commit order.

The library locks the whole events table instead; that lock and VACUUM wait for each other, this one does not.
Everything is computed before the gate is taken, and the transaction that holds it is short.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eventsourcing.persistence import StoredEvent
from psycopg import Connection, Cursor
from psycopg.copy import LibpqWriter
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, tuple_row

from ledger.store.copying import COPY_EVENTS, Rows, laid_out

CHANNEL = "ledger_events"

_LOCK_TIMEOUT_S = 30
# A process that is stopped, or whose machine is gone, while it holds the gate must not hold up everybody's money.
_IDLE_TIMEOUT_S = 10

# More than a batch has: psycopg would wait after each MB, and in each wait lend the interpreter to who computes the
# next batch, while everybody waits for the gate.
_FLUSH_BYTES = 64 * 2**20

# An acknowledged commit must survive a crash, whatever the server's or a role's default says.
_SET_UP = (
    "SELECT set_config('synchronous_commit', 'on', true),"
    f" set_config('lock_timeout', '{_LOCK_TIMEOUT_S}s', true),"
    f" set_config('idle_in_transaction_session_timeout', '{_IDLE_TIMEOUT_S}s', true)"
)


@dataclass(slots=True)
class Gate:
    """A held gate: the ledger's newest position, that of the newest control change, and the way to append."""

    cursor: Cursor[TupleRow]
    head: int
    control_head: int

    def append(self, events: Sequence[StoredEvent]) -> range:
        """Append events in order and return the positions they got.

        Raises psycopg's UniqueViolation where a stream already has one of the versions: someone else wrote first.
        """
        return self.append_rows(laid_out(events))

    def append_rows(self, rows: Rows) -> range:
        """Append what was laid out before the gate was taken; as `append`."""
        positions = range(self.head + 1, self.head + 1 + len(rows))
        if not rows:
            return positions
        self.head = positions[-1]
        if rows.newest_control is not None:
            self.control_head = positions[rows.newest_control]
        writer = LibpqWriter(self.cursor, flush_threshold=_FLUSH_BYTES)
        with self.cursor.copy(COPY_EVENTS, writer=writer) as copy:
            copy.write(rows.at(positions[0]))
        self.cursor.execute(
            "UPDATE ledger.gate SET head = %s, control_head = %s", (self.head, self.control_head), prepare=True
        )
        self.cursor.execute(f"NOTIFY {CHANNEL}", prepare=True)
        return positions


@contextmanager
def gated(connection: Connection[Any]) -> Iterator[Gate]:
    """Take the gate in a transaction of its own; commit when the block ends, roll back where it raises.

    Raises RuntimeError for a connection in the middle of a transaction: the block's end would not commit then.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise RuntimeError("the gate opens and ends its own transaction; this connection is in one already")
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_SET_UP, prepare=True)
        cursor.execute("SELECT head, control_head FROM ledger.gate FOR UPDATE", prepare=True)
        row = cursor.fetchone()
        if row is None:
            raise RuntimeError("ledger.gate has lost its row; restore the database from its backup")
        yield Gate(cursor, row[0], row[1])
