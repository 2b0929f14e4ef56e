"""Friendly hours and days, in which nobody is cut, as spans of time; by the clocks of the site's zone."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.domain.credit.policy import DayName, FriendlyTimes
from ledger.rating.calendar import MINUTES_PER_DAY, Holidays

# How far ahead the next friendly time is looked for, and the longest that one is told to last.
HORIZON = timedelta(days=14)

_DAY = timedelta(days=1)
_WEEKDAYS: tuple[DayName, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


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


def _spans_about(times: FriendlyTimes, zone: str, instant: datetime) -> tuple[tuple[datetime, datetime], ...]:
    if not (times.hours or times.dates):
        return ()
    return _spans(times, zone, instant.astimezone(ZoneInfo(zone)).date())


@lru_cache(maxsize=512)
def _spans(times: FriendlyTimes, zone: str, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Return the friendly spans from the day before one on, past the horizon, joined where they touch."""
    last = day + HORIZON + 2 * _DAY
    found: list[tuple[datetime, datetime]] = []
    one = day - _DAY
    spans: list[tuple[datetime, datetime]] = []
    while one <= last:
        spans += _spans_of(times, ZoneInfo(zone), one)
        one += _DAY
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)


def _spans_of(times: FriendlyTimes, zone: ZoneInfo, day: date) -> Iterator[tuple[datetime, datetime]]:
    if day in times.dates:
        yield _begin(zone, day, 0), _end(zone, day, MINUTES_PER_DAY)
    names = {_WEEKDAYS[day.weekday()]}
    off = Holidays(times.country, times.subdivision, frozenset(times.holidays))
    if off.is_any and off.day_type(day) == "holiday":
        names.add("holiday")
    for hours in times.hours:
        if names & set(hours.days):
            over_midnight = hours.end_minute <= hours.begin_minute
            end = hours.end_minute + (MINUTES_PER_DAY if over_midnight else 0)
            yield _begin(zone, day, hours.begin_minute), _end(zone, day, end)


def _begin(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """Return when the clocks show a minute after a day's midnight: the earlier time, where they are changed then."""
    return min(_instants(zone, day, minute))


def _end(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """Return the same: the later time."""
    return max(_instants(zone, day, minute))


def _instants(zone: ZoneInfo, day: date, minute: int) -> tuple[datetime, datetime]:
    day += minute // MINUTES_PER_DAY * _DAY
    minute %= MINUTES_PER_DAY
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
