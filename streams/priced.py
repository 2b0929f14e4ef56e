"""A batch of messages worked out: the facts that they lead to, and what is written beside them."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from ledger import wire
from ledger.domain.billed import BilledHistory
from ledger.domain.event import Event
from ledger.domain.meter import BillingPeriodClosed, ReadingHeld, TimeChargeDebited, UsageCorrected, UsageDebited
from ledger.domain.metering import Draft, Metering
from ledger.store.applied import DeadLetter, Partition, StrayReading, SweepProgress
from ledger.store.copying import Rows
from ledger.store.ticked import TickProgress
from ledger.store.token_registers import TokenRegister

SweepKey = tuple[str, str]


@dataclass
class PricingDraft:
    """A batch worked out: facts to append, rows to write beside them, and the states they leave behind."""

    domain: Draft
    priced_at: int = 0  # the control change up to which supply points and tariffs were known
    meterings: dict[str, tuple[Partition, Metering]] = field(default_factory=dict)
    sweeps: dict[SweepKey, tuple[Partition, SweepProgress]] = field(default_factory=dict)
    ticks: dict[str, TickProgress] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    strays: list[StrayReading] = field(default_factory=list)
    meter_credit: list[wire.RegisterReading] = field(default_factory=list)
    token_registers: list[TokenRegister] = field(default_factory=list)
    history: dict[UUID, BilledHistory] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    readings: int = 0
    rows: Rows = field(default_factory=Rows)
    _kinds: Counter[type] = field(default_factory=Counter)
    _by_stream: dict[UUID, list[Event]] = field(default_factory=dict)
    _sorted: int = 0

    def lay_out(self) -> None:
        """Lay the events out as they are stored, and count them; no more are drafted after that."""
        add_fact, kinds = self.rows.add_fact, self._kinds
        for event in self.domain.events:
            fact = event.fact
            kind = type(fact)
            kinds[kind] = kinds[kind] + 1 if kind in kinds else 1
            add_fact(event.originator_id, event.originator_version, kind.topic, fact)

    def drafted(self, stream: UUID) -> list[Event]:
        """Return the events of a stream so far."""
        for event in self.domain.events[self._sorted :]:
            self._by_stream.setdefault(event.originator_id, []).append(event)
        self._sorted = len(self.domain.events)
        return self._by_stream.get(stream, [])

    @property
    def acks(self) -> list[wire.SweepAck]:
        """What the collectors may now forget."""
        return [
            wire.SweepAck(concentrator=concentrator, collector=collector, sequence=progress.sequence)
            for (collector, concentrator), (_, progress) in self.sweeps.items()
        ]

    @property
    def debits(self) -> int:
        """How many of the events are debits."""
        return self._kinds[UsageDebited]

    @property
    def corrections(self) -> int:
        """How many of the events correct what was billed."""
        return self._kinds[UsageCorrected]

    @property
    def time_charges(self) -> int:
        """How many of the events charge what time brings."""
        return self._kinds[TimeChargeDebited] + self._kinds[BillingPeriodClosed]

    @property
    def holds(self) -> Counter[str]:
        """How many of the events hold a reading, by reason."""
        if not self._kinds[ReadingHeld]:
            return Counter()
        facts = (event.fact for event in self.domain.events)
        return Counter(fact.reason for fact in facts if isinstance(fact, ReadingHeld))
