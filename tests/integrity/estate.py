"""A ledger under seal, turn by turn: events of a few streams, a sealer on a clock of the test's, a witness."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ledger.domain.event import Event
from ledger.integrity.keys import SealingKey
from ledger.integrity.sealing import Sealer
from ledger.integrity.witness.records import Witness
from ledger.store.gate import gated
from ledger.store.mapper import stored
from tests.ledger import facts

KEY = "22" * 32
OTHER_KEY = "33" * 32
_STREAMS = UUID("00000000-0000-0000-0000-00000000feed")
_DEBIT = stored(Event(_STREAMS, 1, next(fact for fact in facts.FACTS if fact.topic == "meter.usage-debited/1")))


def stream_of(number: int) -> UUID:
    return uuid5(_STREAMS, str(number))


@dataclass(slots=True)
class Vault:
    """Events, seals and a witness."""

    connection: Connection[Any]
    writer: Connection[Any]
    witness: Witness
    streams: int = 7
    events: int = 0
    now_s: float = 0.0
    _versions: Counter[int] = field(default_factory=Counter)
    _sealer: Sealer | None = None

    def sealer(self, key: str = KEY) -> Sealer:
        """A sealer that has just been elected."""
        sealer = Sealer(key=SealingKey(key), witness=self.witness, every_s=2.0, clock=lambda: self.now_s)
        sealer.begin(self.connection)
        self._sealer = sealer
        return sealer

    def append(self, count: int, *, state: bytes = _DEBIT.state, topic: str = _DEBIT.topic) -> None:
        """Append debits, to one stream after the other."""
        with gated(self.writer) as gate:
            gate.append([self._next(topic, state) for _ in range(count)])

    def seal(self, *counts: int) -> None:
        """Append so many events and seal them, for each count."""
        sealer = self._sealer or self.sealer()
        for count in counts:
            self.append(count)
            self.settle(sealer)

    def settle(self, sealer: Sealer) -> None:
        """Let time pass until nothing is unsealed."""
        sealer.turn(self.connection)
        self.now_s += 2.0
        while sealer.turn(self.connection):
            pass

    def column(self, query: str) -> Sequence[Any]:
        return [row[0] for row in self.connection.execute(query.encode()).fetchall()]

    def _next(self, topic: str, state: bytes) -> StoredEvent:
        number = self.events % self.streams
        self.events += 1
        self._versions[number] += 1
        return StoredEvent(stream_of(number), self._versions[number], topic, state)
