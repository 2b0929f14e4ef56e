"""Friendly hours and days, in which nobody is cut, as spans of time; by the clocks of the site's zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.domain.credit.policy import FriendlyTimes
from ledger.domain.local_hours import Span, instants, is_holiday, joined, weekday_of
from ledger.rating.calendar import MINUTES_PER_DAY, Holidays

# How far ahead the next friendly time is looked for, and the longest that one is told to last.
HORIZON = timedelta(days=14)

_DAY = timedelta(days=1)


class Friendly(NamedTuple):
    """Until when nobody is cut (None: now they may be), and when the next such time begins (None: none is near)."""

    until: datetime | None
    next_from: datetime | None


def friendly_at(times: FriendlyTimes, zone: str, instant: datetime) -> Friendly:
    """Return whether an instant is in a friendly time, and when the next one begins."""
    spans = _spans_about(times, zone, instant)
    until = next((end for begin, end in spans if begin <= instant < end), None)
    next_from = next((begin for begin, _ in spans if instant < begin <= instant + HORIZON), None)
    return Friendly(until, next_from)


def friendly_end_after(times: FriendlyTimes, zone: str, instant: datetime) -> datetime | None:
    """Return the end of the friendly time that an instant is in, or of the next one; None where none is near."""
    spans = _spans_about(times, zone, instant)
    return next((end for begin, end in spans if instant < end and begin <= instant + HORIZON), None)


def local_week(zone: str, instant: datetime) -> str:
    """Return the local week, from Monday, that an instant is in: `2026-W47`."""
    year, week, _ = instant.astimezone(ZoneInfo(zone)).isocalendar()
    return f"{year:04d}-W{week:02d}"


def _spans_about(times: FriendlyTimes, zone: str, instant: datetime) -> tuple[Span, ...]:
    if not (times.hours or times.dates):
        return ()
    return _spans(times, zone, instant.astimezone(ZoneInfo(zone)).date())


@lru_cache(maxsize=512)
def _spans(times: FriendlyTimes, zone: str, day: date) -> tuple[Span, ...]:
    """Return the friendly spans from the day before one on, past the horizon, joined where they touch."""
    days = range(-1, HORIZON.days + 3)
    return joined(span for number in days for span in _spans_of(times, ZoneInfo(zone), day + number * _DAY))


def _spans_of(times: FriendlyTimes, zone: ZoneInfo, day: date) -> Iterator[Span]:
    if day in times.dates:
        yield min(instants(zone, day, 0)), max(instants(zone, day, MINUTES_PER_DAY))
    names = {weekday_of(day)}
    if is_holiday(day, Holidays(times.country, times.subdivision, frozenset(times.holidays))):
        names.add("holiday")
    for hours in times.hours:
        if names & set(hours.days):
            yield hours.on(day, zone, is_longest=True)
