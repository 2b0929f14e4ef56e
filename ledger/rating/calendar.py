"""The time-of-use calendar: which period holds at a local time, by season and by kind of day."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

import holidays

from ledger.rating.components import MonthDay

DayType = Literal["weekday", "weekend", "holiday"]
DAY_TYPES: tuple[DayType, ...] = ("weekday", "weekend", "holiday")
MINUTES_PER_DAY = 24 * 60
_SATURDAY = 5

# A day's periods: the minute after midnight at which each begins, ascending from 0, and its name.
DayPlan = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Season:
    """Part of the year, first to last day inclusive; it may run over the new year."""

    name: str
    first: MonthDay
    last: MonthDay

    def holds(self, day: MonthDay) -> bool:
        """Tell whether a day lies in the season; one that ends on 28 February holds the 29th if it is said so."""
        if self.first <= self.last:
            return self.first <= day <= self.last
        return day >= self.first or day <= self.last


@dataclass(frozen=True, slots=True)
class Holidays:
    """The days that count as holidays: a country's (ISO 3166), and dates of one's own.

    `workdays` are days that count as weekdays whatever they are otherwise: the Saturdays worked for a long holiday.
    """

    country: str = ""
    subdivision: str = ""
    dates: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    @property
    def is_any(self) -> bool:
        """Tell whether there may be any holiday."""
        return bool(self.country or self.dates)

    def day_type(self, day: date) -> DayType:
        """Return a local day's kind; a holiday on a Sunday is a holiday."""
        if day in self.workdays:
            return "weekday"
        if day in self.dates or (self.country and day in country_holidays(self.country, self.subdivision)):
            return "holiday"
        return "weekend" if day.weekday() >= _SATURDAY else "weekday"


@lru_cache(maxsize=256)
def country_holidays(country: str, subdivision: str) -> holidays.HolidayBase:
    """Return a country's public holidays by the package `holidays`; raises NotImplementedError where unknown."""
    return holidays.country_holidays(country, subdiv=subdivision or None)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Seasons × kinds of day → the plan of a day; complete and free of overlaps by how it was read."""

    periods: tuple[str, ...]
    seasons: tuple[Season, ...]
    plans: Mapping[tuple[str, DayType], DayPlan]
    holidays: Holidays = field(default_factory=Holidays)

    def plan(self, day: date) -> DayPlan:
        """Return the plan of a local day."""
        month_day = (day.month, day.day)
        season = next(season for season in self.seasons if season.holds(month_day))
        return self.plans[season.name, self.holidays.day_type(day)]


def period_at(plan: DayPlan, minute: int) -> str:
    """Return the period that holds at a minute after local midnight."""
    name = plan[0][1]
    for begins, period in plan:
        if begins > minute:
            break
        name = period
    return name
