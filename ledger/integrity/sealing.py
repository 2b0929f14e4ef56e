"""Sealing: the next block of events under a Merkle root, signed, chained to the seal before it, then witnessed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import structlog
from psycopg import Connection
from psycopg.rows import scalar_row

from ledger.integrity.kept import (
    acknowledge,
    add_seal,
    introduce_key,
    newest_seal,
    seals_after,
    witnessed,
)
from ledger.integrity.keys import SealingKey
from ledger.integrity.merkle import root_of
from ledger.integrity.rows import event_rows, position_of, row_hash
from ledger.integrity.seals import NO_SEAL, Seal, signed_seal
from ledger.integrity.standing import check_not_older
from ledger.integrity.witness.records import Witness, WitnessFailed
from ledger.store.log import head_of
from ledger.values.errors import LedgerError

log = structlog.get_logger(__name__)

# A block's hashes fit in a few hundred kilobytes, and its path in a proof is fourteen hashes long.
LARGEST_BLOCK = 10_000
_WITNESS_AT_ONCE = 200


class LedgerDamaged(LedgerError):
    """The ledger is not as its writers left it; nothing is sealed over that."""


@dataclass(slots=True)
class Sealer:
    """Seals events at most `every_s` after they are seen; `seen` is told after each turn.

    The database has a seal first, then the witness, and only then is it acknowledged: a crash in between leaves a
    witness that lags, which the next start repairs, and never one that is ahead.
    """

    key: SealingKey
    witness: Witness
    every_s: float = 2.0
    clock: Callable[[], float] = monotonic
    observe: Callable[["Sealer"], None] = lambda _: None
    newest: Seal | None = None
    acknowledged: int = 0
    pending_events: int = 0
    sealed_events: int = 0
    is_witness_well: bool = True
    _pending_since: float | None = field(default=None)

    @property
    def lag_s(self) -> float:
        """How long the oldest event without a seal has been waiting, as far as this sealer has seen."""
        return 0.0 if self._pending_since is None else self.clock() - self._pending_since

    def begin(self, connection: Connection[Any]) -> None:
        """Take up where the chain ends. Raises OlderThanWitness, Diverged, and WitnessFailed."""
        connection.execute("SELECT set_config('synchronous_commit', 'on', false)")
        at_witness = check_not_older(connection, self.witness)
        self.newest = newest_seal(connection)
        self._pending_since = None
        if introduce_key(connection, self.key, first_seal=self.newest.number + 1 if self.newest else 1):
            log.info("sealing key introduced", key_id=self.key.key_id)
        self.acknowledged = witnessed(connection)
        if at_witness < self.acknowledged:
            log.warning(
                "the witness has lost seals it had; they are written again",
                witness=self.witness.name,
                has=at_witness,
                had=self.acknowledged,
            )
        self.acknowledged = at_witness
        self._hand_over(connection)

    def turn(self, connection: Connection[Any]) -> bool:
        """Seal what is due and hand over what the witness lacks; tell whether there is more to do at once."""
        self.pending_events = head_of(connection)[0] - (self.newest.last_position if self.newest else 0)
        is_more = False
        if self.pending_events <= 0:
            self._pending_since = None
        else:
            self._pending_since = self._pending_since if self._pending_since is not None else self.clock()
            if self.lag_s >= self.every_s or self.pending_events >= LARGEST_BLOCK:
                is_more = self._seal(connection)
        self._hand_over(connection)
        self.observe(self)
        return is_more

    def _seal(self, connection: Connection[Any]) -> bool:
        after = self.newest.last_position if self.newest else 0
        self.newest = sealed_next(connection, self.key, newest=self.newest, upto=after + self.pending_events)
        self.sealed_events += self.newest.events
        self.pending_events -= self.newest.events
        self._pending_since = self.clock() if self.pending_events else None
        return self.pending_events >= LARGEST_BLOCK

    def _hand_over(self, connection: Connection[Any]) -> None:
        newest = self.newest.number if self.newest else 0
        try:
            while self.acknowledged < newest:
                upto = min(self.acknowledged + _WITNESS_AT_ONCE, newest)
                self.witness.append(list(seals_after(connection, after=self.acknowledged, upto=upto)))
                acknowledge(connection, upto)
                self.acknowledged = upto
        except WitnessFailed as error:
            if self.is_witness_well:
                log.warning("the witness does not take seals", witness=self.witness.name, error=str(error))
            self.is_witness_well = False
            return
        if not self.is_witness_well:
            log.info("the witness takes seals again", witness=self.witness.name)
        self.is_witness_well = True


def sealed_next(connection: Connection[Any], key: SealingKey, *, newest: Seal | None, upto: int) -> Seal:
    """Seal the next block, to a position at most, and return its seal.

    Raises LedgerDamaged where an event is missing: positions are gapless, so someone has taken it.
    """
    first = newest.last_position + 1 if newest else 1
    last = min(upto, first + LARGEST_BLOCK - 1)
    with connection.transaction():
        leaves = []
        for expected, row in enumerate(event_rows(connection, first=first, last=last), first):
            if position_of(row) != expected:
                raise LedgerDamaged(
                    f"there is no event at position {expected}, and one at {position_of(row)}: nothing is sealed"
                    " over that; run `wattledger audit verify`, then restore the database"
                )
            leaves.append(row_hash(row))
        if len(leaves) != last - first + 1:
            raise LedgerDamaged(
                f"there is no event at position {first + len(leaves)}, though the gate gave out {last}: nothing is"
                " sealed over that; run `wattledger audit verify`, then restore the database"
            )
        seal = signed_seal(
            Seal(
                number=newest.number + 1 if newest else 1,
                first_position=first,
                last_position=last,
                events=len(leaves),
                root=root_of(leaves).hex(),
                previous=newest.hash if newest else NO_SEAL,
                sealed_at=_database_now(connection),
                key_id=key.key_id,
            ),
            key,
        )
        add_seal(connection, seal, leaves)
    return seal


def _database_now(connection: Connection[Any]) -> datetime:
    with connection.cursor(row_factory=scalar_row) as cursor:
        now = cursor.execute("SELECT clock_timestamp()").fetchone()
    if not isinstance(now, datetime):
        raise AssertionError(f"PostgreSQL's clock says {now!r}")
    return now.astimezone(UTC)
