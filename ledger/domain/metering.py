"""From a reading to what happened: a debit, a held reading, or nothing but a time (pure; design §2 I6, I8, §4).

`Metering` is one supply point's meter stream in memory: its state and version, and what has been drafted on top.
The walk goes on from here to `segment` and `rate`.
"""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from ledger.domain import correcting, intervals, moving, occupancy, registers, serials
from ledger.domain.billed import BilledHistory
from ledger.domain.closing import closed_again
from ledger.domain.event import Event, Fact
from ledger.domain.evidence import Evidence, evidence_of
from ledger.domain.judging import AWAITED, Bad, frozen_allowance_milliwh, is_counted_in, judged, judging_of
from ledger.domain.meter import Episode, MeterState, ReadingHeld, Source, UsageDebited
from ledger.domain.occupancy import Share
from ledger.domain.postings import debit_postings
from ledger.domain.registers import Taken
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.spans import needs_between, periods_between, plain_tariff, rated_plain, rated_span, span_of
from ledger.domain.spell import Spell
from ledger.domain.supply import MeterInstalled, Supply
from ledger.rating.lines import FRESH, Rated
from ledger.wire import IntervalReading, RegisterReading


@dataclass(slots=True)
class Metering:
    """A supply point's meter stream as pricing holds it; `seen_at` may be later than the newest event knows."""

    state: MeterState = field(default_factory=MeterState)
    version: int = 0
    seen_at: datetime | None = None
    superseded: int = 0
    held: int = 0
    is_seen_dirty: bool = False

    def copy(self) -> "Metering":
        """Return a copy to draft on; its counts are of the draft alone."""
        return Metering(self.state, self.version, self.seen_at)


@dataclass(slots=True)
class Draft:
    """Where the facts that readings lead to are put, with what they need from outside."""

    snapshot: PricingSnapshot
    recorded_at: datetime
    events: list[Event] = field(default_factory=list)


def take_register(draft: Draft, metering: Metering, supply: Supply, reading: RegisterReading, source: Source) -> None:
    """Take in a cumulative register reading of the supply point's meter.

    Its usage since the last good reading is debited to the account that occupies the supply point. A reading at or
    before what is billed is superseded, and counted.
    """
    spell = _installed(supply)
    reading = spell.reading(reading)
    number = supply.occupancy_number_at(reading.read_at)
    taker = Taker(draft, metering, supply, spell.meter, source)
    evidence = evidence_of(reading)
    if reading.serial is not None and not serials.is_own(taker, evidence, reading.serial):
        return
    if number < 0 and metering.state.billed_to is None:
        bad = Bad("unoccupied", f"no account occupies {supply.code} at this time")
        taker.hold(evidence, bad, since=reading.read_at)
        return
    if number >= 0:
        begin(metering, supply)
    since = billed_to(metering)
    if number < 0 or reading.read_at <= since or reading.meter != metering.state.meter:
        taker.supersede(evidence, since, reading)
        return
    taken = taker.judged(reading, since, source.published_at)
    if isinstance(taken, Bad):
        taker.hold(evidence, taken, since=since)
    elif taker.is_nothing(taken, reading.read_at):
        if number != metering.state.occupancy:
            moving.close_until(taker, number, source)
        metering.seen_at = reading.read_at
        metering.is_seen_dirty = True
    else:
        taker.debit(evidence, since, reading.read_at, taken)


def take_interval(
    draft: Draft,
    metering: Metering,
    supply: Supply,
    reading: IntervalReading,
    source: Source,
    billed: BilledHistory | None,
) -> None:
    """Take in the usage of a half-open span.

    `billed` is what was billed before; it is looked up only when a span overlaps what is covered or replaces a
    reading. Raises intervals.HistoryNeeded where it is needed, and None or not far enough back.
    """
    spell = supply.spell_of(reading.meter, reading.start) or _installed(supply)
    taker = Taker(draft, metering, supply, spell.meter, source)
    evidence = evidence_of(reading)
    number = supply.occupancy_number_at(reading.start)
    prices = draft.snapshot.prices_of(supply)
    bad = intervals.judged(reading=reading, meter=spell.meter, published_at=source.published_at, prices=prices)
    if bad is None and number < 0:
        bad = Bad("unoccupied", f"no account occupies {supply.code} at this time", reading.import_milliwh)
    if bad is None and correcting.needs_history(metering.state.covered, reading, evidence.reading):
        wanted = correcting.readings_of(reading, evidence.reading)
        if billed is None or not all(billed.knows(one) for one in wanted):
            raise intervals.HistoryNeeded(supply.code, wanted)
        verdict = correcting.judged(billed, reading, evidence.reading, prices)
        if isinstance(verdict, correcting.Superseded):
            metering.superseded += 1
            metering.is_seen_dirty = True
            return
        bad = verdict if isinstance(verdict, Bad) else taker.correct(billed, verdict.number, reading)
        if bad is None:
            return
    if bad is not None:
        taker.hold_interval(evidence, bad)
        return
    begin(metering, supply)
    moving.recall(taker, evidence.reading, number, billed)
    taken = Taken(None, registers.of_interval(reading, prices), reading.import_milliwh)
    taker.debit(evidence, reading.start, reading.end, taken)


@dataclass(slots=True)
class Taker:
    """One reading on its way into the draft."""

    draft: Draft
    metering: Metering
    supply: Supply
    meter: MeterInstalled
    source: Source

    def judged(self, reading: RegisterReading, since: datetime, published_at: datetime) -> Taken | Bad:
        """Judge a register reading that is later than what is billed, and say what was used since."""
        state = self.metering.state
        slack = 0 if state.registers is None else registers.slack_milliwh(self.meter, state.registers)
        judging = judging_of(self.meter, state, since, reading.read_at, slack)
        verdict = judged(reading, judging, state, published_at)
        if isinstance(verdict, Bad):
            return verdict
        prices = self.draft.snapshot.prices_of(self.supply)
        if state.registers is None and reading.periods is None and plain_tariff(prices, since) is not None:
            return Taken(None, None, verdict.usage_milliwh)
        needs = needs_between(prices, since, reading.read_at)
        return registers.taken(
            reading=reading, judging=judging, state=state, usage_milliwh=verdict.usage_milliwh, needs=needs
        )

    def is_nothing(self, taken: Taken, at: datetime) -> bool:
        """Tell whether there is nothing to bill."""
        if taken.usage_milliwh or taken.quantities is None:
            return taken.usage_milliwh == 0
        prices = self.draft.snapshot.prices_of(self.supply)
        return not taken.is_more_than(self.metering.state.counters, at, prices)

    def unread(self, usage_milliwh: int) -> Taken:
        """Return usage of a total of which the registers beside it were not read."""
        return Taken(registers.unread(self.metering.state.registers), None, usage_milliwh)

    def debit(self, evidence: Evidence, start: datetime, end: datetime, taken: Taken) -> bool:
        """Price the usage of [start, end) and draft its debit, one for each occupancy that it lies in.

        Hold it where no tariff is in force for all of it; tells whether it was billed.
        """
        cut = self._cut(start, end, taken)
        rated: list[Rated] = []
        for share in cut:
            one = self._rated(share, is_part=len(cut) > 1)
            if isinstance(one, Bad):
                bad = Bad(one.reason, one.detail, taken.usage_milliwh)
                if evidence.covers is None:
                    self.hold(evidence, bad, since=start)
                else:
                    self.hold_interval(evidence, bad)
                return False
            rated.append(one)
        for share, one in zip(cut, rated, strict=True):
            if share.occupancy > self.metering.state.occupancy:
                moving.close_until(self, share.occupancy, self.source)
            self._append_debit(evidence, share, one, taken if share is cut[-1] else None)
        if evidence.covers is not None or len(self.supply.occupancies) == 1:
            return True
        number = self.supply.occupancy_number_at(end)
        if number > self.metering.state.occupancy:
            is_read = self.supply.occupancies[number].occupied_from == end
            moving.close_until(self, number, self.source, is_apportioned=not is_read)
        return True

    def can_rate(self, start: datetime, end: datetime, taken: Taken) -> bool:
        """Tell whether tariffs are in force for all of a span."""
        return not any(isinstance(self._rated(share), Bad) for share in self._cut(start, end, taken))

    def _cut(self, start: datetime, end: datetime, taken: Taken) -> list[Share]:
        if len(self.supply.occupancies) == 1:
            return [Share(0, start, end, taken.usage_milliwh, taken.quantities)]
        return occupancy.shares(
            occupancy.bounds_of(self.supply),
            start=start,
            end=end,
            energy_milliwh=taken.usage_milliwh,
            quantities=taken.quantities,
        )

    def _append_debit(self, evidence: Evidence, share: Share, rated: Rated, last: Taken | None) -> None:
        """Draft the debit of a share; `last` is the reading's usage where the share is the last one's."""
        state, payer = self.metering.state, self.supply.occupancies[share.occupancy]
        is_register, lines = evidence.covers is None, rated.lines
        if last is not None:
            closing, beside = evidence.register_milliwh, last.closing
        else:
            closing = self._register_after(share.energy_milliwh)
            beside = registers.advanced(state.registers, share.quantities, self.meter.modulus_milliwh)
        before = occupancy.counters_of(state, share.occupancy) or FRESH
        is_late = share.occupancy != state.occupancy
        known = occupancy.with_share(state, share.occupancy, rated.counters) if is_late else state
        after = msgspec.structs.replace(
            known,
            counters=known.counters if is_late else rated.counters,
            meter=self.meter.meter,
            billed_to=share.end if state.billed_to is None else max(share.end, state.billed_to),
            register_milliwh=closing if is_register else None,
            covered=intervals.covering(state.covered, evidence.covers),
            episode=None if _is_over(state.episode) else state.episode,
            registers=beside,
        )
        fact = UsageDebited(
            supply=self.supply.code,
            account=payer.account,
            meter=self.meter.meter,
            reading=evidence.reading,
            started_at=share.start,
            ended_at=share.end,
            opening_milliwh=state.register_milliwh if is_register else None,
            closing_milliwh=closing if is_register else None,
            usage_milliwh=share.energy_milliwh,
            quality=evidence.quality,
            profile=evidence.profile,
            raw=evidence.raw,
            before=before,
            lines=lines,
            amount_micros=sum(line.amount_micros for line in lines),
            postings=debit_postings(account=payer.account, lines=lines),
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
            occupancy=share.occupancy,
            multiplier=self.meter.multiplier,
            opening_registers=state.registers,
            closing_registers=beside,
            quantities=share.quantities,
        )
        self.append(fact, after)

    def _register_after(self, energy_milliwh: int) -> int:
        """Return the register after some of a reading's usage, apportioned at an occupancy's boundary."""
        register = (self.metering.state.register_milliwh or 0) + energy_milliwh
        return register % self.meter.modulus_milliwh if self.meter.modulus_milliwh else register

    def supersede(self, evidence: Evidence, since: datetime, reading: RegisterReading) -> None:
        """Count a reading at or before what is billed; hold it where it contradicts that very time."""
        if evidence.read_at == since and self.meter.meter == self.metering.state.meter:
            bad = registers.contradiction(reading, self.metering.state, self.meter)
            if bad is not None:
                self.hold(evidence, bad, since=since)
                return
        self.metering.superseded += 1
        self.metering.is_seen_dirty = True

    def correct(self, billed: BilledHistory, number: int, reading: IntervalReading) -> Bad | None:
        """Draft the correction of a billed interval; say why where what was billed since cannot be rated again."""
        metering, draft = self.metering, self.draft
        prices = draft.snapshot.prices_of(self.supply)
        fact = correcting.Correcting(
            self.supply.code, reading, self.source, metering.state, prices, draft.recorded_at
        ).corrected(billed, number)
        if isinstance(fact, Bad):
            return fact
        self.append(fact, fact.state)
        billed.version = metering.version
        return None

    def hold(self, evidence: Evidence, bad: Bad, *, since: datetime) -> None:
        """Draft a held register reading, or count it where an episode is open that covers it."""
        if is_counted_in(self.metering.state.episode, bad):
            self.metering.held += 1
            self.metering.is_seen_dirty = True
            return
        episode = Episode(
            reason=bad.reason,
            reading=evidence.reading,
            opened_at=evidence.read_at,
            register_milliwh=evidence.register_milliwh or 0,
            allowance_milliwh=frozen_allowance_milliwh(
                self.meter, bad, evidence.read_at - since, earlier=self.metering.state.episode
            ),
        )
        self.append_hold(evidence, bad, msgspec.structs.replace(self.metering.state, episode=episode))

    def hold_interval(self, evidence: Evidence, bad: Bad) -> None:
        """Draft a held interval: each stands for itself, so each is recorded."""
        self.append_hold(evidence, bad, self.metering.state)

    def append_hold(self, evidence: Evidence, bad: Bad, after: MeterState) -> None:
        """Draft the event of a held reading."""
        fact = ReadingHeld(
            supply=self.supply.code,
            meter=self.meter.meter,
            reading=evidence.reading,
            reason=bad.reason,
            detail=bad.detail,
            read_at=evidence.read_at,
            claimed_milliwh=bad.claimed_milliwh,
            quality=evidence.quality,
            profile=evidence.profile,
            raw=evidence.raw,
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
            import_milliwh=evidence.energy_milliwh,
            started_at=None if evidence.covers is None else evidence.covers.start,
        )
        self.append(fact, after)

    def append(self, fact: Fact, after: MeterState) -> None:
        """Draft the stream's next event, which leaves this state behind."""
        self.metering.version += 1
        self.metering.state = after
        stream = self.draft.snapshot.stream_of(self.supply.code)
        self.draft.events.append(Event(stream, self.metering.version, fact))

    def _rated(self, share: Share, *, is_part: bool = False) -> Rated | Bad:
        prices = self.draft.snapshot.prices_of(self.supply)
        counters = occupancy.counters_of(self.metering.state, share.occupancy) or FRESH
        _, start, end, usage_milliwh, quantities = share
        plain = None if is_part or quantities is not None else plain_tariff(prices, start)
        if plain is not None:
            rated: Rated | Bad = rated_plain(plain, counters, start, end, usage_milliwh)
        else:
            span = span_of(start, end, usage_milliwh, quantities, is_part=is_part)
            rated = rated_span(prices, counters, span, supply=self.supply.code)
        if isinstance(rated, Bad) or not rated.counters.closed:
            return rated
        return closed_again(prices, rated, periods_between(prices, rated.counters.closed, start, end))


def _installed(supply: Supply) -> Spell:
    if not supply.spells:
        raise AssertionError(f"supply {supply.code} was found by its meter, but has none")
    return supply.spells[-1]


def _is_over(episode: Episode | None) -> bool:
    """Tell whether a reading that is billed ends an episode: who pays is known now, or its reading was dismissed."""
    return episode is not None and (episode.is_dismissed or episode.reason in AWAITED)


def begin(metering: Metering, supply: Supply) -> None:
    """Start from the first occupancy's opening register where the stream has not begun yet."""
    if metering.state.account or not supply.occupancies:
        return
    first = supply.occupancies[0]
    spell = supply.spell_at(first.occupied_from) or _installed(supply)
    is_register = spell.meter.measures == "register"
    opening = None if first.opening_milliwh is None else spell.scaled(first.opening_milliwh)
    metering.state = msgspec.structs.replace(
        metering.state,
        meter=spell.meter.meter,
        account=first.account,
        billed_to=first.occupied_from if is_register else None,
        register_milliwh=opening if is_register else None,
        registers=registers.scaled(first.opening_registers, spell) if is_register else None,
    )


def billed_to(metering: Metering) -> datetime:
    """Return until when nothing is left to be billed of a register: its last good reading, with usage or without."""
    until = metering.state.billed_to
    if until is None:
        raise AssertionError("a register's stream begins with its occupancy's opening register")
    return until if metering.seen_at is None else max(until, metering.seen_at)
