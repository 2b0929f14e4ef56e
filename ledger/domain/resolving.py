"""What an operator's decision on a held reading does: bill it, correct by it, or change nothing (pure, design I8)."""

from datetime import datetime

import msgspec

from ledger.domain import intervals
from ledger.domain.billed import BilledHistory
from ledger.domain.evidence import Evidence
from ledger.domain.judging import AWAITED
from ledger.domain.meter import Episode
from ledger.domain.meter_life import HoldSettled, Outcome
from ledger.domain.metering import Taker
from ledger.domain.registers import Taken
from ledger.domain.supply_life import HoldResolved
from ledger.values.energy import text_from_milliwh
from ledger.wire import IntervalReading, Quality, RegisterReading


def resolve(taker: Taker, fact: HoldResolved, billed: BilledHistory | None) -> None:
    """Settle a decision; raises intervals.HistoryNeeded where a released interval overlaps what is billed."""
    state = taker.metering.state
    if fact.resolution == "dismiss":
        outcome: Outcome = "dismissed"
        detail = "dismissed: it is no money"
        episode = _dismissed(state.episode, fact)
    else:
        released = _release_register if fact.started_at is None else _release_interval
        outcome, detail = released(taker, fact, billed)
        state = taker.metering.state
        episode = None if state.episode is not None and state.episode.reading == fact.reading else state.episode
    after = msgspec.structs.replace(taker.metering.state, episode=episode)
    settled = HoldSettled(
        supply=fact.supply,
        meter=fact.meter,
        reading=fact.reading,
        outcome=outcome,
        detail=detail,
        operator=fact.operator,
        reason=fact.reason,
        source=taker.source,
        state=after,
        recorded_at=taker.draft.recorded_at,
    )
    taker.append(settled, after)


def _dismissed(episode: Episode | None, fact: HoldResolved) -> Episode | None:
    """A register that stays wrong must not become believable by a dismissal: the episode goes on limiting it."""
    if episode is None or episode.reading != fact.reading:
        return episode
    if episode.reason in AWAITED:
        return None
    return msgspec.structs.replace(episode, is_dismissed=True)


def _release_register(taker: Taker, fact: HoldResolved, _history: BilledHistory | None) -> tuple[Outcome, str]:
    metering, meter = taker.metering, taker.meter
    state = metering.state
    if state.billed_to is None or state.meter != fact.meter:
        return "nothing", f"meter {fact.meter} is not what is billed now"
    since = state.billed_to if metering.seen_at is None else max(state.billed_to, metering.seen_at)
    if fact.read_at <= since:
        return "nothing", f"billed to {since.isoformat()} by a later register, which has its usage in it"
    last = state.register_milliwh or 0
    usage = fact.import_milliwh - last
    if usage < 0:
        _rebase(taker, fact.read_at, fact.import_milliwh)
        now, before = text_from_milliwh(fact.import_milliwh), text_from_milliwh(last)
        return "rebased", f"the register goes on from {now} kWh, it stood at {before} kWh before"
    if usage == 0:
        return "nothing", "there is no usage since the reading before"
    evidence = _evidence(fact, RegisterReading(meter=meter.meter, read_at=fact.read_at, import_milliwh=0))
    return _debited(taker, evidence, since, fact.read_at, taker.unread(usage))


def _rebase(taker: Taker, at: datetime, register_milliwh: int) -> None:
    """Let a register that fell go on from where it stands; what it counted meanwhile nobody can tell."""
    taker.metering.state = msgspec.structs.replace(
        taker.metering.state, billed_to=at, register_milliwh=register_milliwh, registers=None
    )


def _release_interval(taker: Taker, fact: HoldResolved, billed: BilledHistory | None) -> tuple[Outcome, str]:
    if fact.started_at is None:
        raise AssertionError("an interval has a start")
    quality = msgspec.convert(fact.quality, Quality)
    reading = IntervalReading(
        meter=fact.meter,
        start=fact.started_at,
        end=fact.read_at,
        import_milliwh=fact.import_milliwh,
        quality=quality,
        profile=fact.profile,
        raw=fact.raw,
    )
    if taker.supply.occupancy_at(reading.start) is None:
        return "nothing", "no account occupied the supply point at this time"
    if not intervals.overlaps(taker.metering.state.covered, reading):
        taken = Taken(None, None, reading.import_milliwh)
        return _debited(taker, _evidence(fact, reading), reading.start, reading.end, taken)
    needed = intervals.HistoryNeeded(fact.supply, (fact.reading,))
    if billed is None or not needed.is_met_by(billed):
        raise needed
    number = billed.find(fact.reading)
    if number is None:
        return "nothing", "part of this interval is billed already, under other bounds"
    if billed.usage(number).figure.energy_milliwh == reading.import_milliwh:
        return "nothing", "it is billed with this very energy"
    bad = taker.correct(billed, number, reading)
    return ("corrected", "the correction before this event") if bad is None else ("nothing", bad.detail)


def _debited(taker: Taker, evidence: Evidence, start: datetime, end: datetime, taken: Taken) -> tuple[Outcome, str]:
    if not taker.can_rate(start, end, taken):
        return "nothing", "no tariff is in force for all of this time"
    taker.debit(evidence, start, end, taken)
    return "billed", "the debit before this event"


def _evidence(fact: HoldResolved, reading: RegisterReading | IntervalReading) -> Evidence:
    is_interval = isinstance(reading, IntervalReading)
    return Evidence(
        fact.reading,
        fact.read_at,
        None if is_interval else fact.import_milliwh,
        reading if isinstance(reading, IntervalReading) else None,
        fact.quality,
        fact.profile,
        fact.raw,
    )
