"""What messages of `meter-readings` mean: sweeps become debits and held readings, ticks charge what time brings.

What cannot be applied is kept with a reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ledger import wire
from ledger.domain.billed import BilledHistory
from ledger.domain.event import Event, Fact
from ledger.domain.intervals import HistoryNeeded
from ledger.domain.meter import (
    BillingPeriodClosed,
    ReadingHeld,
    Source,
    TimeChargeDebited,
    UsageCorrected,
    UsageDebited,
    state_of,
)
from ledger.domain.metering import Draft, Metering, take_interval, take_register
from ledger.domain.settling import is_settled, settle
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply
from ledger.domain.supply_life import ConcentratorChanged
from ledger.domain.ticking import take_tick
from ledger.store import applied, strays
from ledger.store.applied import DeadLetter, Partition, StrayReading, SweepProgress
from ledger.store.catching_up import catch_up
from ledger.store.gate import Gate
from ledger.store.log import newest_of
from ledger.store.mapper import stored
from ledger.store.meter_history import read_history
from ledger.store.ticked import TickProgress, move_ticks
from streams import ticks
from streams.applier import Stale
from streams.message import Message
from streams.pipeline import Unlanded

SweepKey = tuple[str, str]


@dataclass(slots=True)
class PricingDraft:
    """A batch worked out: facts to append, rows to write beside them, and the states they leave behind."""

    domain: Draft
    priced_at: int = 0  # the control change up to which supply points and tariffs were known
    meterings: dict[str, tuple[Partition, Metering]] = field(default_factory=dict)
    sweeps: dict[SweepKey, tuple[Partition, SweepProgress]] = field(default_factory=dict)
    ticks: dict[str, TickProgress] = field(default_factory=dict)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    strays: list[StrayReading] = field(default_factory=list)
    history: dict[UUID, BilledHistory] = field(default_factory=dict)
    taken: list[int] = field(default_factory=list)
    readings: int = 0
    stored: list[StoredEvent] = field(default_factory=list)
    _by_stream: dict[UUID, list[Event]] = field(default_factory=dict)
    _sorted: int = 0

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
        return sum(isinstance(event.fact, UsageDebited) for event in self.domain.events)

    @property
    def corrections(self) -> int:
        """How many of the events correct what was billed."""
        return sum(isinstance(event.fact, UsageCorrected) for event in self.domain.events)

    @property
    def time_charges(self) -> int:
        """How many of the events charge what time brings."""
        return sum(isinstance(event.fact, TimeChargeDebited | BillingPeriodClosed) for event in self.domain.events)

    @property
    def holds(self) -> dict[str, int]:
        """How many of the events hold a reading, by reason."""
        reasons: dict[str, int] = {}
        for event in self.domain.events:
            if isinstance(event.fact, ReadingHeld):
                reasons[event.fact.reason] = reasons.get(event.fact.reason, 0) + 1
        return reasons


class PricingDrafter:
    """Prices sweeps on a snapshot of supply points and tariffs, and remembers the meter streams of its partitions."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._snapshot = PricingSnapshot()
        self._meterings: dict[Partition, dict[str, Metering]] = {}
        self._sweeps: dict[Partition, dict[SweepKey, SweepProgress]] = {}
        self._in_flight: set[UUID] = set()  # streams whose newest events cannot be read yet

    def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
        """Price a batch against the snapshot and the streams as this worker knows them."""
        catch_up(connection, self._snapshot, each=self._forget_moved)
        draft = PricingDraft(Draft(self._snapshot, self._clock()), self._snapshot.position)
        decoded = [(message, body) for message in messages if (body := self._decoded(message, draft)) is not None]
        self._load(connection, decoded)
        self._take_strays(
            connection, draft, [(message, body) for message, body in decoded if isinstance(body, wire.Sweep)]
        )
        for message, body in decoded:
            if isinstance(body, wire.Tick):
                self._take_tick(connection, draft, message, body)
            elif self._is_next(draft, message, body):
                self._take(connection, draft, message, body)
        draft.stored = [stored(event) for event in draft.domain.events]
        return draft

    def append(self, gate: Gate, draft: PricingDraft) -> None:
        """Append the batch; raises Stale where supply points or tariffs have changed since it was priced."""
        if gate.control_head > draft.priced_at:
            raise Stale(f"priced at {draft.priced_at}, control changes reach {gate.control_head}")
        if not strays.mark_taken(gate.cursor, draft.taken):
            raise Stale("another worker took stray readings in meanwhile")
        gate.append(draft.stored)
        applied.move_sweeps(gate.cursor, {key: progress for key, (_, progress) in draft.sweeps.items()})
        applied.move_meters_seen(
            gate.cursor,
            [
                (supply, metering.seen_at, metering.superseded, metering.held)
                for supply, (_, metering) in sorted(draft.meterings.items())
                if metering.is_seen_dirty
            ],
        )
        move_ticks(gate.cursor, draft.ticks)
        applied.keep_dead_letters(gate.cursor, draft.dead_letters)
        applied.keep_strays(gate.cursor, draft.strays)

    def adopt(self, draft: PricingDraft) -> None:
        """Remember the states that the batch leaves behind."""
        self._in_flight.update(event.originator_id for event in draft.domain.events)
        for supply, (partition, metering) in draft.meterings.items():
            self._meterings.setdefault(partition, {})[supply] = metering.copy()
        for key, (partition, progress) in draft.sweeps.items():
            self._sweeps.setdefault(partition, {})[key] = SweepProgress(progress.sequence)

    def landed(self) -> None:
        """Know that whatever was adopted is in the ledger, to be read there."""
        self._in_flight.clear()

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop the states of these partitions; they are read anew when next needed."""
        for partition in partitions:
            self._meterings.pop(partition, None)
            self._sweeps.pop(partition, None)

    def _forget_moved(self, fact: Fact) -> None:
        """Drop the state of a supply point that changed its owner: another may have written to its stream since."""
        if isinstance(fact, ConcentratorChanged):
            for meterings in self._meterings.values():
                meterings.pop(fact.supply, None)

    def _load(self, connection: Connection[Any], decoded: Sequence[tuple[Message, wire.Sweep | wire.Tick]]) -> None:
        """Read the progress and the meter streams that are not remembered yet, all in one go."""
        keys: dict[SweepKey, Partition] = {}
        supplies: dict[str, Partition] = {}
        for message, body in decoded:
            known = self._meterings.get(message.partition, {})
            if isinstance(body, wire.Sweep):
                key = (body.collector, body.concentrator)
                if key not in self._sweeps.get(message.partition, {}):
                    keys[key] = message.partition
                met = [self._snapshot.supply_of_meter(_meter_of(reading)) for reading in body.readings]
            else:
                met = list(ticks.timed_supplies(self._snapshot, body.concentrator))
            for supply in met:
                if supply is not None and supply.concentrator == body.concentrator and supply.code not in known:
                    supplies[supply.code] = message.partition
        if keys:
            for key, progress in applied.sweep_progress(connection, keys).items():
                self._sweeps.setdefault(keys[key], {})[key] = progress
        if supplies:
            self._load_meterings(connection, supplies)

    def _load_meterings(self, connection: Connection[Any], supplies: dict[str, Partition]) -> None:
        """One row per stream, however long its history: every event carries the full state after it."""
        newest = newest_of(connection, streams=[self._snapshot.stream_of(code) for code in supplies])
        seen = applied.meters_seen(connection, supplies)
        for code, partition in supplies.items():
            metering = Metering(seen_at=seen.get(code))
            entry = newest.get(self._snapshot.stream_of(code))
            if entry is not None:
                metering.state, metering.version = state_of(entry.fact), entry.version
            self._meterings.setdefault(partition, {})[code] = metering

    def _is_next(self, draft: PricingDraft, message: Message, sweep: wire.Sweep) -> bool:
        """Tell whether the sweep follows the last one applied; count it and leave it where not."""
        key = (sweep.collector, sweep.concentrator)
        if key not in draft.sweeps:
            draft.sweeps[key] = (message.partition, SweepProgress(self._sweeps[message.partition][key].sequence))
        progress = draft.sweeps[key][1]
        if sweep.sequence == progress.sequence + 1:
            progress.sequence = sweep.sequence
            return True
        if sweep.sequence <= progress.sequence:
            progress.duplicates += 1
        else:
            progress.out_of_sequence += 1
        return False

    def _take_strays(
        self, connection: Connection[Any], draft: PricingDraft, sweeps: Sequence[tuple[Message, wire.Sweep]]
    ) -> None:
        """Take in what came under another concentrator, of the supply points that are read through these now."""
        owners: dict[str, Partition] = {}
        for message, sweep in sweeps:
            for reading in sweep.readings:
                supply = self._snapshot.supply_of_meter(_meter_of(reading))
                if supply is not None and supply.concentrator == sweep.concentrator:
                    owners.update((spell.meter.meter, message.partition) for spell in supply.spells)
        for stray in strays.waiting(connection, meters=list(owners)) if owners else ():
            draft.taken.append(stray.number)
            supply = self._snapshot.supply_of_meter(stray.meter)
            if supply is not None and _stray(supply, supply.concentrator, stray.reading) is None:
                metering = self._drafted(draft, owners[stray.meter], supply.code)
                self._take_reading(connection, draft, metering, supply, stray.reading, stray.source)

    def _decoded(self, message: Message, draft: PricingDraft) -> wire.Sweep | wire.Tick | None:
        """Decode a message; what is not in its right place, or a tick before its time, is kept as a dead letter."""
        try:
            decoded = wire.decode_meter_message(message.value or b"")
            if message.key != decoded.concentrator.encode():
                raise wire.WireError(
                    "wrong-key", f"the message's key is {message.key!r}, its concentrator {decoded.concentrator!r}"
                )
            if isinstance(decoded, wire.Tick):
                refused = ticks.refusal(self._snapshot, decoded, published_at=message.published_at)
                if refused is not None:
                    raise refused
        except wire.WireError as error:
            draft.dead_letters.append(
                DeadLetter(message.partition, message.offset, error.reason, error.detail, message.key, message.value)
            )
            return None
        return decoded

    def _take_tick(self, connection: Connection[Any], draft: PricingDraft, message: Message, tick: wire.Tick) -> None:
        """Charge the concentrator's supply points all that is due up to the tick's date."""
        source = ticks.source_of(message, tick)
        for supply in ticks.timed_supplies(self._snapshot, tick.concentrator):
            metering = self._drafted(draft, message.partition, supply.code)
            if not is_settled(metering, supply):
                self._settle(connection, draft, metering, supply, source)
            take_tick(draft.domain, metering, supply, through=tick.local_date, source=source)
        progress = draft.ticks.setdefault(tick.concentrator, TickProgress(tick.local_date))
        progress.local_date = max(progress.local_date, tick.local_date)
        progress.applied += 1

    def _take(self, connection: Connection[Any], draft: PricingDraft, message: Message, sweep: wire.Sweep) -> None:
        source = Source(
            message.partition.number, message.offset, message.published_at, sweep.collector, sweep.sequence
        )
        for reading in sweep.readings:
            draft.readings += 1
            supply = self._snapshot.supply_of_meter(_meter_of(reading))
            reason = _stray(supply, sweep.concentrator, reading)
            if supply is None or reason is not None:
                draft.strays.append(
                    StrayReading(
                        sweep.concentrator,
                        sweep.collector,
                        sweep.sequence,
                        _meter_of(reading),
                        reason or "unknown-meter",
                        reading,
                        source.partition,
                        source.message_offset,
                        source.published_at,
                    )
                )
                continue
            metering = self._drafted(draft, message.partition, supply.code)
            self._take_reading(connection, draft, metering, supply, reading, source)

    def _take_reading(
        self,
        connection: Connection[Any],
        draft: PricingDraft,
        metering: Metering,
        supply: Supply,
        reading: wire.Reading,
        source: Source,
    ) -> None:
        """Take in what happened to the supply point since, then the reading."""
        if not is_settled(metering, supply):
            self._settle(connection, draft, metering, supply, source)
        if reading.register is not None:
            take_register(draft.domain, metering, supply, reading.register, source)
        elif reading.interval is not None:
            try:
                take_interval(draft.domain, metering, supply, reading.interval, source, None)
            except HistoryNeeded as needed:
                history = self._history(connection, draft, metering, supply, needed)
                take_interval(draft.domain, metering, supply, reading.interval, source, history)

    def _settle(
        self, connection: Connection[Any], draft: PricingDraft, metering: Metering, supply: Supply, source: Source
    ) -> None:
        """Settle; each time that what was billed must be looked up, look it up and go on."""
        history: BilledHistory | None = None
        while not is_settled(metering, supply):
            try:
                settle(draft.domain, metering, supply, source, history)
            except HistoryNeeded as needed:
                history = self._history(connection, draft, metering, supply, needed)

    def _history(
        self,
        connection: Connection[Any],
        draft: PricingDraft,
        metering: Metering,
        supply: Supply,
        needed: HistoryNeeded,
    ) -> BilledHistory:
        """Return what was billed of a supply point, as far back as needed; read before the gate, once per batch."""
        stream = self._snapshot.stream_of(supply.code)
        drafted = draft.drafted(stream)
        history = draft.history.get(stream)
        if history is None or not needed.is_met_by(history):
            if stream in self._in_flight:
                raise Unlanded(f"the history of {supply.code} is not all in the ledger yet")
            newest = [(event.originator_version, event.fact) for event in drafted]
            history = read_history(
                connection,
                stream=stream,
                version=metering.version - len(newest),
                newest=newest,
                readings=needed.readings,
                # A register's debits ascend in time, intervals come in any order.
                beyond=None if metering.state.register_milliwh is None else needed.beyond,
            )
            draft.history[stream] = history
        for event in drafted[history.version - metering.version :] if history.version < metering.version else ():
            history.take(event.originator_version, event.fact)
        return history

    def _drafted(self, draft: PricingDraft, partition: Partition, supply: str) -> Metering:
        if supply not in draft.meterings:
            draft.meterings[supply] = (partition, self._meterings[partition][supply].copy())
        return draft.meterings[supply][1]


def _stray(supply: Supply | None, concentrator: str, reading: wire.Reading) -> str | None:
    """Say why a reading may not be written to its supply point's stream from here."""
    if supply is None or not supply.spells:
        return "unknown-meter"
    if supply.concentrator != concentrator:
        return "other-concentrator"
    spell = supply.spells[-1]
    if spell.meter.meter != _meter_of(reading) or spell.ends is not None:
        # Not the meter that is installed now: what it says of its own time only is taken in.
        own = supply.spell_of(_meter_of(reading), _begins(reading))
        if own is None:
            return "not-installed"
        spell = own
    if spell.meter.measures != ("register" if reading.register is not None else "interval"):
        return "other-kind"
    return None


def _begins(reading: wire.Reading) -> datetime:
    """Return a reading's instant, an interval's start."""
    if reading.interval is not None:
        return reading.interval.start
    if reading.register is None:
        raise AssertionError("a reading holds either a register or an interval")
    return reading.register.read_at


def _meter_of(reading: wire.Reading) -> str:
    body = reading.register or reading.interval
    return "" if body is None else body.meter
