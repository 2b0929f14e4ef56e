"""What messages of `meter-readings` mean: sweeps become debits and held readings, ticks charge what time brings.

What cannot be applied is kept with a reason.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ledger import wire
from ledger.domain.billed import BilledHistory
from ledger.domain.event import Fact
from ledger.domain.intervals import HistoryNeeded
from ledger.domain.meter import Source, state_of
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
from ledger.store.mapper import state_after
from ledger.store.meter_credit import keep_meter_credit
from ledger.store.meter_history import read_history
from ledger.store.ticked import TickProgress, move_ticks
from ledger.store.token_registers import TokenRegister, keep_registers
from streams import ticks
from streams.applier import Stale
from streams.message import Message
from streams.pipeline import Unlanded
from streams.priced import PricingDraft, SweepKey


class Decoded(NamedTuple):
    """A message and what it says; `supplies` are those of its readings, in their order, or those a tick is for."""

    message: Message
    body: wire.Sweep | wire.Tick
    supplies: Sequence[Supply | None]


class PricingDrafter:
    """Prices sweeps on a snapshot of supply points and tariffs, and remembers the meter streams of its partitions."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._snapshot = PricingSnapshot()
        self._meterings: dict[Partition, dict[str, Metering]] = {}
        self._sweeps: dict[Partition, dict[SweepKey, SweepProgress]] = {}
        self._in_flight: set[str] = set()  # supply points whose newest events cannot be read yet

    def catch_up(self, connection: Connection[Any]) -> None:
        """Bring the snapshot of supply points and tariffs up to the ledger's newest control change."""
        catch_up(connection, self._snapshot, each=self._forget_moved)

    def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
        """Price a batch against the snapshot and the streams as this worker knows them."""
        self.catch_up(connection)
        draft = PricingDraft(Draft(self._snapshot, self._clock()), self._snapshot.position)
        decoded = [known for message in messages if (known := self._decoded(message, draft)) is not None]
        self._load(connection, decoded)
        if strays.is_any_waiting(connection):
            self._take_strays(connection, draft, decoded)
        for one in decoded:
            if isinstance(one.body, wire.Tick):
                self._take_tick(connection, draft, one.message, one.body)
            elif self._is_next(draft, one.message, one.body):
                self._take(connection, draft, one.message, one.body, one.supplies)
        draft.lay_out()
        return draft

    def append(self, gate: Gate, draft: PricingDraft) -> None:
        """Append the batch; raises Stale where supply points or tariffs have changed since it was priced."""
        if gate.control_head > draft.priced_at:
            raise Stale(f"priced at {draft.priced_at}, control changes reach {gate.control_head}")
        if not strays.mark_taken(gate.cursor, draft.taken):
            raise Stale("another worker took stray readings in meanwhile")
        gate.append_rows(draft.rows)
        dirty = [(supply, pair) for supply, pair in draft.meterings.items() if pair[1].is_seen_dirty]
        applied.move_sweeps(gate.cursor, {key: progress for key, (_, progress) in draft.sweeps.items()})
        applied.move_meters_seen(
            gate.cursor,
            [
                (supply, metering.seen_at, metering.superseded, metering.held)
                for supply, (_, metering) in sorted(dirty)
            ],
        )
        move_ticks(gate.cursor, draft.ticks)
        applied.keep_dead_letters(gate.cursor, draft.dead_letters)
        applied.keep_strays(gate.cursor, draft.strays)
        keep_meter_credit(gate.cursor, draft.meter_credit)
        keep_registers(gate.cursor, draft.token_registers)

    def adopt(self, draft: PricingDraft) -> None:
        """Remember the states that the batch leaves behind."""
        self._in_flight.update(draft.meterings)
        for supply, (partition, metering) in draft.meterings.items():
            self._meterings.setdefault(partition, {})[supply] = metering
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

    def _load(self, connection: Connection[Any], decoded: Sequence[Decoded]) -> None:
        """Read the progress and the meter streams that are not remembered yet, all in one go."""
        keys: dict[SweepKey, Partition] = {}
        supplies: dict[str, Partition] = {}
        for message, body, met in decoded:
            known = self._meterings.setdefault(message.partition, {})
            if isinstance(body, wire.Sweep):
                key = (body.collector, body.concentrator)
                if key not in self._sweeps.get(message.partition, {}):
                    keys[key] = message.partition
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
        streams = [self._snapshot.stream_of(code) for code in supplies]
        newest = newest_of(connection, streams=streams, reading=state_after)
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

    def _take_strays(self, connection: Connection[Any], draft: PricingDraft, decoded: Sequence[Decoded]) -> None:
        """Take in what came under another concentrator, of the supply points that are read through these now."""
        owners: dict[str, Partition] = {}
        for message, body, met in decoded:
            for supply in met if isinstance(body, wire.Sweep) else ():
                if supply is not None and supply.concentrator == body.concentrator:
                    owners.update((spell.meter.meter, message.partition) for spell in supply.spells)
        for stray in strays.waiting(connection, meters=list(owners)) if owners else ():
            draft.taken.append(stray.number)
            supply = self._snapshot.supply_of_meter(stray.meter)
            if supply is not None and _stray(supply, supply.concentrator, stray.reading) is None:
                if supply.tokens is not None:
                    _note_register(draft, supply, stray.reading)
                    continue
                metering = self._drafted(draft, owners[stray.meter], supply.code)
                self._take_reading(connection, draft, metering, supply, stray.reading, stray.source)

    def _decoded(self, message: Message, draft: PricingDraft) -> Decoded | None:
        """Decode a message and find whom it is about; keep it as a dead letter where it cannot be applied."""
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
        find = self._snapshot.supply_of_meter
        if isinstance(decoded, wire.Tick):
            return Decoded(message, decoded, ticks.timed_supplies(self._snapshot, decoded.concentrator))
        return Decoded(message, decoded, [find(_meter_of(reading)) for reading in decoded.readings])

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

    def _take(
        self,
        connection: Connection[Any],
        draft: PricingDraft,
        message: Message,
        sweep: wire.Sweep,
        supplies: Sequence[Supply | None],
    ) -> None:
        source = Source(
            message.partition.number, message.offset, message.published_at, sweep.collector, sweep.sequence
        )
        draft.readings += len(sweep.readings)
        for reading, supply in zip(sweep.readings, supplies, strict=True):
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
            if supply.tokens is not None:
                _note_register(draft, supply, reading)
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
            if reading.register.meter_credit is not None:
                draft.meter_credit.append(reading.register)
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
            if supply.code in self._in_flight:
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
        known = draft.meterings.get(supply)
        if known is None:
            known = draft.meterings[supply] = (partition, self._meterings[partition][supply].copy())
        return known[1]


def _note_register(draft: PricingDraft, supply: Supply, reading: wire.Reading) -> None:
    """Keep what the meter of a supply point that is billed by token shows; nothing is billed by it."""
    if reading.register is not None:
        # It may come late, from before the multiplier changed.
        spell = supply.spell_at(reading.register.read_at) or supply.spells[0]
        register_milliwh = spell.scaled(reading.register.import_milliwh)
        draft.token_registers.append(TokenRegister(supply.code, reading.register.read_at, register_milliwh))


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
