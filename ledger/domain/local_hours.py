"""Hours of local time on some days, and the spans of time that they are."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from ledger.rating.calendar import MINUTES_PER_DAY, Holidays

DayName = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "holiday"]
WEEKDAYS: tuple[DayName, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

Span = tuple[datetime, datetime]
_DAY = timedelta(days=1)


class LocalHours(msgspec.Struct, frozen=True, omit_defaults=True):
    """Hours of local time on some days, in minutes after midnight.

    Where the end is not after the beginning they reach into the next day.
    """

    days: tuple[DayName, ...]
    begin_minute: int
    end_minute: int

    def on(self, day: date, zone: ZoneInfo, *, is_longest: bool) -> Span:
        """Return the span that begins on a local day; where clocks are changed then, the longest or the shortest."""
        over_midnight = self.end_minute <= self.begin_minute
        end = self.end_minute + (MINUTES_PER_DAY if over_midnight else 0)
        first, last = instants(zone, day, self.begin_minute), instants(zone, day, end)
        return (min(first), max(last)) if is_longest else (max(first), min(last))


def times_text(hours: LocalHours) -> str:
    """Return hours as files say them, such as `18:00-09:00`."""
    return "-".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (hours.begin_minute, hours.end_minute))


def weekday_of(day: date) -> DayName:
    """Return a local day's weekday."""
    return WEEKDAYS[day.weekday()]


def is_holiday(day: date, holidays: Holidays) -> bool:
    """Tell whether a local day is a holiday."""
    return holidays.is_any and holidays.day_type(day) == "holiday"


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in order, joined where they touch; those that last no time are left out."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        elif begin < end:
            found.append((begin, end))
    return tuple(found)


def instants(zone: ZoneInfo, day: date, minute: int) -> tuple[datetime, datetime]:
    """Return when the clocks show a minute after a day's midnight: both times, where they are changed then."""
    day += minute // MINUTES_PER_DAY * _DAY
    minute %= MINUTES_PER_DAY
    local = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
