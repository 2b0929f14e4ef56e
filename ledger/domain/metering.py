"""From a reading to what happened: a debit, a held reading, or nothing but a time (pure; design §2 I6, I8, §4).

`Metering` is one supply point's meter stream in memory: its state and version, and what has been drafted on top.
The walk goes on from here to `segment` and `rate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec

from ledger.domain import correcting, intervals
from ledger.domain.billed import BilledHistory
from ledger.domain.event import Event, Fact
from ledger.domain.judging import AWAITED, Bad, frozen_allowance_milliwh, is_counted_in, judged
from ledger.domain.meter import Episode, MeterState, ReadingHeld, Source, UsageDebited
from ledger.domain.postings import debit_postings
from ledger.domain.snapshot import Price, PricingSnapshot
from ledger.domain.supply import MeterInstalled, Supply, SupplyOccupied
from ledger.rating.lines import Counters, Line
from ledger.rating.rate import rate
from ledger.rating.segment import Rule, segment, segment_by
from ledger.values.identity import reading_id
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
    meter = _installed(supply)
    occupancy = supply.occupancy_at(reading.read_at)
    taker = _Taker(draft, metering, supply, meter, source)
    if occupancy is None and metering.state.billed_to is None:
        bad = Bad("unoccupied", f"no account occupies {supply.code} at this time")
        taker.hold(_evidence(reading), bad, since=reading.read_at)
        return
    if occupancy is not None:
        _begin(metering, meter, occupancy)
    since = _billed_to(metering)
    if occupancy is None or reading.read_at <= since:
        last = metering.state.register_milliwh
        if reading.read_at == since and reading.import_milliwh != last:
            bad = Bad(
                "conflicting",
                f"register {reading.import_milliwh} mWh, but {last} mWh at this very time",
                max(reading.import_milliwh - (last or 0), 0),
            )
            taker.hold(_evidence(reading), bad, since=since)
        else:
            metering.superseded += 1
            metering.is_seen_dirty = True
        return
    verdict = judged(
        reading=reading, meter=meter, state=metering.state, since=since, published_at=source.published_at
    )
    if isinstance(verdict, Bad):
        taker.hold(_evidence(reading), verdict, since=since)
    elif verdict.usage_milliwh == 0:
        metering.seen_at = reading.read_at
        metering.is_seen_dirty = True
    else:
        taker.debit(_evidence(reading), since, reading.read_at, verdict.usage_milliwh, occupancy)


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
    meter = _installed(supply)
    taker = _Taker(draft, metering, supply, meter, source)
    evidence = _evidence(reading)
    occupancy = supply.occupancy_at(reading.start)
    bad = intervals.judged(reading=reading, meter=meter, published_at=source.published_at)
    if bad is None and occupancy is None:
        bad = Bad("unoccupied", f"no account occupies {supply.code} at this time", reading.import_milliwh)
    if bad is None and correcting.needs_history(metering.state.covered, reading, evidence.reading):
        wanted = correcting.readings_of(reading, evidence.reading)
        if billed is None or not all(billed.knows(one) for one in wanted):
            raise intervals.HistoryNeeded(supply.code, wanted)
        verdict = correcting.judged(billed, reading, evidence.reading)
        if isinstance(verdict, correcting.Superseded):
            metering.superseded += 1
            metering.is_seen_dirty = True
            return
        bad = verdict if isinstance(verdict, Bad) else taker.correct(billed, verdict.number, reading)
        if bad is None:
            return
    if bad is not None or occupancy is None:
        taker.hold_interval(evidence, bad or Bad("unoccupied", "no account occupies the supply point"))
        return
    _begin(metering, meter, occupancy)
    taker.debit(evidence, reading.start, reading.end, reading.import_milliwh, occupancy)


class _Evidence(msgspec.Struct, frozen=True, gc=False):
    """What every fact about a reading repeats of it."""

    reading: UUID
    read_at: datetime
    register_milliwh: int | None
    covers: IntervalReading | None
    quality: str
    profile: str
    raw: str


def _evidence(reading: RegisterReading | IntervalReading) -> _Evidence:
    if isinstance(reading, RegisterReading):
        identity = reading_id(meter=reading.meter, registers="import", read_at=reading.read_at)
        at, register, covers = reading.read_at, reading.import_milliwh, None
    else:
        identity = intervals.identity(reading)
        at, register, covers = reading.end, None, reading
    return _Evidence(identity, at, register, covers, reading.quality, reading.profile, reading.raw)


@dataclass(slots=True)
class _Taker:
    """One reading on its way into the draft."""

    draft: Draft
    metering: Metering
    supply: Supply
    meter: MeterInstalled
    source: Source

    def debit(
        self, evidence: _Evidence, start: datetime, end: datetime, usage_milliwh: int, occupancy: SupplyOccupied
    ) -> None:
        """Price the usage of [start, end) and draft its debit; hold it where no tariff is in force for all of it."""
        state = self.metering.state
        rated = self._rated(start, end, usage_milliwh)
        if rated is None:
            bad = Bad("no-terms", f"{self.supply.code} has no tariff in force for all of this time", usage_milliwh)
            if evidence.covers is None:
                self.hold(evidence, bad, since=start)
            else:
                self.hold_interval(evidence, bad)
            return
        lines, counters = rated
        after = MeterState(
            meter=self.meter.meter,
            account=occupancy.account,
            billed_to=end if state.billed_to is None else max(end, state.billed_to),
            register_milliwh=evidence.register_milliwh,
            counters=counters,
            covered=intervals.covering(state.covered, evidence.covers),
            episode=None if state.episode is not None and state.episode.reason in AWAITED else state.episode,
        )
        fact = UsageDebited(
            supply=self.supply.code,
            account=occupancy.account,
            meter=self.meter.meter,
            reading=evidence.reading,
            started_at=start,
            ended_at=end,
            opening_milliwh=state.register_milliwh if evidence.covers is None else None,
            closing_milliwh=evidence.register_milliwh,
            usage_milliwh=usage_milliwh,
            quality=evidence.quality,
            profile=evidence.profile,
            raw=evidence.raw,
            before=state.counters,
            lines=lines,
            amount_micros=sum(line.amount_micros for line in lines),
            postings=debit_postings(account=occupancy.account, lines=lines),
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
        )
        self._append(fact, after)

    def correct(self, billed: BilledHistory, number: int, reading: IntervalReading) -> Bad | None:
        """Draft the correction of a billed interval; say why where what was billed since cannot be rated again."""
        metering, draft = self.metering, self.draft
        prices = draft.snapshot.prices_of(self.supply)
        fact = correcting.Correcting(
            self.supply.code, reading, self.source, metering.state, prices, draft.recorded_at
        ).corrected(billed, number)
        if isinstance(fact, Bad):
            return fact
        self._append(fact, fact.state)
        billed.version = metering.version
        return None

    def hold(self, evidence: _Evidence, bad: Bad, *, since: datetime) -> None:
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
            allowance_milliwh=frozen_allowance_milliwh(self.meter, bad, evidence.read_at - since),
        )
        self._append_hold(evidence, bad, msgspec.structs.replace(self.metering.state, episode=episode))

    def hold_interval(self, evidence: _Evidence, bad: Bad) -> None:
        """Draft a held interval: each stands for itself, so each is recorded."""
        self._append_hold(evidence, bad, self.metering.state)

    def _append_hold(self, evidence: _Evidence, bad: Bad, after: MeterState) -> None:
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
        )
        self._append(fact, after)

    def _append(self, fact: Fact, after: MeterState) -> None:
        self.metering.version += 1
        self.metering.state = after
        stream = self.draft.snapshot.stream_of(self.supply.code)
        self.draft.events.append(Event(stream, self.metering.version, fact))

    def _rated(self, start: datetime, end: datetime, usage_milliwh: int) -> tuple[list[Line], Counters] | None:
        prices = self.draft.snapshot.prices_of(self.supply)
        counters = self.metering.state.counters
        if prices and prices[-1].starts <= start:
            newest = prices[-1].tariff
            if newest is None:
                return None
            days = newest.days
            atoms = segment(start=start, end=end, energy_milliwh=usage_milliwh, zone=days.zone, days=days)
            rated = rate(newest, counters, atoms)
            return rated.lines, rated.counters
        return _rated_by_several(prices, counters, start, end, usage_milliwh)


def _rated_by_several(
    prices: Sequence[Price], counters: Counters, start: datetime, end: datetime, usage_milliwh: int
) -> tuple[list[Line], Counters] | None:
    """Rate a span that several tariff versions may share; None where none is in force for some of it."""
    first = max((number for number, price in enumerate(prices) if price.starts <= start), default=None)
    if first is None:
        return None
    prices = [price for price in prices[first:] if price.starts < end or price is prices[first]]
    tariffs = [price.tariff for price in prices if price.tariff is not None]
    if len(tariffs) < len(prices):
        return None
    lines: list[Line] = []
    rules = [Rule(price.starts, tariff.days) for price, tariff in zip(prices, tariffs, strict=True)]
    numbered = segment_by(rules, start=start, end=end, energy_milliwh=usage_milliwh)
    for number, group in groupby(numbered, key=lambda pair: pair[0]):
        rated = rate(tariffs[number], counters, [atom for _, atom in group])
        lines += rated.lines
        counters = rated.counters
    return lines, counters


def _installed(supply: Supply) -> MeterInstalled:
    if supply.meter is None:
        raise AssertionError(f"supply {supply.code} was found by its meter, but has none")
    return supply.meter


def _begin(metering: Metering, meter: MeterInstalled, occupancy: SupplyOccupied) -> None:
    """Start from the occupancy's opening register where the stream has not begun yet."""
    if metering.state.account == "":
        is_register = meter.measures == "register"
        metering.state = msgspec.structs.replace(
            metering.state,
            meter=meter.meter,
            account=occupancy.account,
            billed_to=occupancy.occupied_from if is_register else None,
            register_milliwh=occupancy.opening_milliwh if is_register else None,
        )


def _billed_to(metering: Metering) -> datetime:
    billed_to = metering.state.billed_to
    if billed_to is None:
        raise AssertionError("a register's stream begins with its occupancy's opening register")
    return billed_to if metering.seen_at is None else max(billed_to, metering.seen_at)
