"""How an account is topped up by itself: payment methods bound and unbound, schedules, thresholds, caps, failures."""

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from ledger.domain.event import Fact, fact_type
from ledger.values.money import MICROS_PER_UNIT
from ledger.wire import Instant

Every = Literal["day", "week", "month"]
Rhythm = Literal["schedule", "threshold"]

# What holds where nobody set caps: a household's money for a month, not somebody's savings.
DAY_CAP_MICROS = 200 * MICROS_PER_UNIT
MONTH_CAP_MICROS = 1_000 * MICROS_PER_UNIT


@fact_type("autopay.method-bound/1")
class MethodBound(Fact, frozen=True, kw_only=True):
    """The consumer lets us charge a payment method.

    `method` is a code of ours, `reference_hash` the keyed hash of the provider's name for it, in personal data.
    """

    account: str
    method: str
    provider: str
    reference_hash: str
    operator: str


@fact_type("autopay.method-unbound/1")
class MethodUnbound(Fact, frozen=True, kw_only=True):
    """The method is charged no more, and rhythms that charged it end."""

    account: str
    method: str
    reason: str
    operator: str


@fact_type("autopay.schedule-set/1")
class ScheduleSet(Fact, frozen=True, kw_only=True):
    """So much is topped up on `from_date`, a local date, and every so often after it; another schedule ends."""

    account: str
    method: str
    amount_micros: int
    every: Every
    from_date: date
    operator: str


@fact_type("autopay.threshold-set/1")
class ThresholdSet(Fact, frozen=True, kw_only=True):
    """So much is topped up when the balance is below `below_micros`; another threshold ends."""

    account: str
    method: str
    amount_micros: int
    below_micros: int
    operator: str


@fact_type("autopay.caps-set/1")
class CapsSet(Fact, frozen=True, kw_only=True):
    """No more than this is charged in a local day and in a local month."""

    account: str
    day_micros: int
    month_micros: int
    operator: str


@fact_type("autopay.rhythm-ended/1")
class RhythmEnded(Fact, frozen=True, kw_only=True):
    """The schedule or the threshold holds no more."""

    account: str
    rhythm: Rhythm
    reason: str
    operator: str


@fact_type("autopay.charge-failed/1")
class ChargeFailed(Fact, frozen=True, kw_only=True):
    """An automatic top-up failed for a reason (`why`, a code); it is tried again at `again_at`, or not any more.

    Attempt 0 asked nobody: a cap stood in its way.
    """

    account: str
    charge: str
    method: str
    rhythm: Rhythm
    amount_micros: int
    attempt: int
    why: str
    again_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class Autopay:
    """What holds for an account: methods by code, and the rhythms. Times of setting are in the facts."""

    methods: Mapping[str, MethodBound] = field(default_factory=dict)
    schedule: ScheduleSet | None = None
    threshold: ThresholdSet | None = None
    day_cap_micros: int = DAY_CAP_MICROS
    month_cap_micros: int = MONTH_CAP_MICROS


NONE_SET = Autopay()


def evolve(autopay: Autopay, fact: Fact) -> Autopay:  # noqa: PLR0911 - a case per fact
    """Apply a fact of the stream; validation was done before it was recorded."""
    match fact:
        case MethodBound():
            return replace(autopay, methods={**autopay.methods, fact.method: fact})
        case MethodUnbound():
            left = {code: bound for code, bound in autopay.methods.items() if code != fact.method}
            return _without(replace(autopay, methods=left), method=fact.method)
        case ScheduleSet():
            return replace(autopay, schedule=fact)
        case ThresholdSet():
            return replace(autopay, threshold=fact)
        case CapsSet():
            return replace(autopay, day_cap_micros=fact.day_micros, month_cap_micros=fact.month_micros)
        case RhythmEnded(rhythm="schedule"):
            return replace(autopay, schedule=None)
        case RhythmEnded():
            return replace(autopay, threshold=None)
        case ChargeFailed():
            return autopay
    raise AssertionError(f"{type(fact).__name__} does not belong to an autopay stream")


def _without(autopay: Autopay, *, method: str) -> Autopay:
    schedule, threshold = autopay.schedule, autopay.threshold
    return replace(
        autopay,
        schedule=None if schedule is not None and schedule.method == method else schedule,
        threshold=None if threshold is not None and threshold.method == method else threshold,
    )


def newest_date_due(schedule: ScheduleSet, *, now: datetime, zone: ZoneInfo) -> date | None:
    """Return the newest date of a schedule that has begun where its account is; None before its first.

    Short months end on their last day. Dates missed before the newest are not caught up with: nobody wants three
    months' money taken at once. Nor are those before the day on which the schedule was set.
    """
    today, said_on = now.astimezone(zone).date(), schedule.recorded_at.astimezone(zone).date()
    newest = _newest_date(schedule, today)
    return None if newest is None or newest < said_on else newest


def _newest_date(schedule: ScheduleSet, today: date) -> date | None:
    first = schedule.from_date
    if today < first:
        return None
    if schedule.every == "day":
        return today
    if schedule.every == "week":
        return today - timedelta(days=(today - first).days % 7)
    this_month = _day_of_month(today.year, today.month, first.day)
    if this_month <= today:
        return this_month
    last_of_previous = today.replace(day=1) - timedelta(days=1)
    return _day_of_month(last_of_previous.year, last_of_previous.month, first.day)


def _day_of_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def same_terms(one: Fact | None, other: Fact) -> bool:
    """Tell whether two facts say the same, whoever said it and when."""
    return (
        one is not None
        and msgspec.structs.replace(one, recorded_at=other.recorded_at, operator=getattr(other, "operator", ""))
        == other
    )
