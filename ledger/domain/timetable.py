"""Timetables: local hours in which supplies are off, as in a dormitory at night. Effective-dated, of a site.

The one that holds for a supply point is the most particular one in force: its own, its account class's, its site's.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from ledger.domain.event import Fact, fact_type
from ledger.domain.local_hours import LocalHours, Span, is_holiday, joined, weekday_of
from ledger.rating.calendar import Holidays
from ledger.wire import Instant

_DAY = timedelta(days=1)


class Timetable(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """When supplies are off, by the clocks of `zone`.

    On a holiday (a country's, ISO 3166, or one's own) only hours that name holidays begin, on `on_dates` none do.
    Where the clocks are changed the shorter reading counts.
    """

    zone: str
    off: tuple[LocalHours, ...]
    on_dates: tuple[date, ...] = ()
    country: str = ""
    subdivision: str = ""
    holidays: tuple[date, ...] = ()


@fact_type("site.timetable-set/1")
class TimetableSet(Fact, frozen=True, kw_only=True):
    """From `effective_from` supplies are off by this timetable: the site's, or one account class's, or one alone.

    Without a timetable it is withdrawn: what is less particular holds again. One without hours keeps them on.
    """

    site: str
    effective_from: Instant
    timetable: Timetable | None
    operator: str
    account_class: str = ""
    supply: str = ""


class OffTime(NamedTuple):
    """A time in which a supply is off, half-open."""

    begins: datetime
    ends: datetime


def timetable_at(
    history: Iterable[Fact], instant: datetime, *, supply: str = "", account_class: str = ""
) -> Timetable | None:
    """Return the timetable of a supply point at an instant, None where there is none; by a site's facts."""
    begun = [row for row in history if isinstance(row, TimetableSet) and row.effective_from <= instant]
    for scope in dict.fromkeys((("", supply), (account_class, ""), ("", ""))):
        rows = [row for row in begun if (row.account_class, row.supply) == scope]
        newest = max(reversed(rows), key=lambda row: row.effective_from, default=None)
        if newest is not None and newest.timetable is not None:
            return newest.timetable
    return None


def off_time(timetable: Timetable | None, instant: datetime) -> OffTime | None:
    """Return the time in which a supply is off at an instant, None where it is on."""
    if timetable is None or not timetable.off:
        return None
    day = instant.astimezone(ZoneInfo(timetable.zone)).date()
    found = next((span for span in _spans(timetable, day) if span[0] <= instant < span[1]), None)
    return None if found is None else OffTime(*found)


@lru_cache(maxsize=512)
def _spans(timetable: Timetable, day: date) -> tuple[Span, ...]:
    """Return the spans about a local day, joined where they touch; one without end is told to end after two days."""
    return joined(span for number in range(-2, 3) for span in _spans_of(timetable, day + number * _DAY))


def _spans_of(timetable: Timetable, day: date) -> Iterator[Span]:
    if day in timetable.on_dates:
        return
    holidays = Holidays(timetable.country, timetable.subdivision, frozenset(timetable.holidays))
    name = "holiday" if is_holiday(day, holidays) else weekday_of(day)
    for hours in timetable.off:
        if name in hours.days:
            yield hours.on(day, ZoneInfo(timetable.zone), is_longest=False)
