"""Reading `[time_of_use]` of a tariff file: gaps and overlaps are told, every one, with season, day and hours."""

import re
from collections.abc import Iterable
from datetime import date
from itertools import groupby

from ledger.rating.calendar import (
    DAY_TYPES,
    MINUTES_PER_DAY,
    Calendar,
    DayPlan,
    DayType,
    Holidays,
    Season,
    country_holidays,
)
from ledger.rating.components import MonthDay
from ledger.rating.document import Reader, Table

_RANGE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")
_ALL_YEAR = Season("all year", (1, 1), (12, 31))
_LEAP_YEAR = [
    (month, day)
    for month, days in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1)
    for day in range(1, days + 1)
]

# Minutes of a day, each with the periods that claim it.
_Claims = dict[tuple[str, DayType], list[list[str]]]


def read_calendar(reader: Reader, table: Table) -> Calendar:
    """Read the table; what is wrong goes to the reader."""
    known = {"country", "subdivision", "holidays", "workdays", "seasons", "hours"}
    reader.only(table, "time_of_use", known)
    days_off = _holidays(reader, table)
    seasons = _seasons(reader, table)
    day_types = tuple(kind for kind in DAY_TYPES if kind != "holiday" or days_off.is_any)
    claims: _Claims = {
        (season.name, kind): [[] for _ in range(MINUTES_PER_DAY)] for season in seasons for kind in day_types
    }
    names: dict[str, None] = {}
    rows = reader.tables(table, "hours", within="time_of_use")
    for place, row in rows:
        names[_claim(reader, place, row, claims)] = None
    if not rows:
        reader.wrong("time_of_use.hours: there is none; add at least one [[time_of_use.hours]] table")
        return Calendar((), seasons, {}, days_off)
    plans = {key: _plan(reader, key, minutes) for key, minutes in claims.items()}
    return Calendar(tuple(names), seasons, plans, days_off)


def _claim(reader: Reader, place: str, row: Table, claims: _Claims) -> str:
    """Enter one table of hours, and return its period."""
    reader.only(row, place, {"period", "times", "seasons", "days"})
    period = reader.text(row, "period", place)
    seasons = list(dict.fromkeys(season for season, _ in claims))
    kinds = list(dict.fromkeys(kind for _, kind in claims))
    wanted_seasons = _subset(reader, row, "seasons", place, seasons)
    wanted_kinds = _subset(reader, row, "days", place, [str(kind) for kind in kinds])
    minutes = _times(reader, row, place)
    for season, kind in claims:
        if season in wanted_seasons and kind in wanted_kinds:
            for minute in minutes:
                claims[season, kind][minute].append(period)
    return period


def _subset(reader: Reader, row: Table, key: str, place: str, known: list[str]) -> list[str]:
    """Return the names chosen out of the known ones; all where none are."""
    names = reader.names(row, key, place)
    for name in names:
        if name not in known:
            hint = "; give a country or holidays of your own first" if name == "holiday" else ""
            reader.wrong(f"{place}.{key} names {name!r}; known: {known}{hint}")
    return [name for name in known if name in names] if key in row else known


def _times(reader: Reader, row: Table, place: str) -> list[int]:
    """Return the minutes of the day that the ranges of local time cover; a range may cross midnight."""
    texts = reader.names(row, "times", place)
    if not texts:
        reader.wrong(f'{place}.times is missing; give ranges of local time, as in ["08:00-12:00", "22:00-06:00"]')
    minutes: list[int] = []
    for text in texts:
        match = _RANGE.fullmatch(text)
        hours = [int(number) for number in match.groups()] if match else [99, 0, 0, 0]
        begin, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
        if max(hours[1], hours[3]) > 59 or begin >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or begin == end:
            reader.wrong(f'{place}.times holds {text!r}; give HH:MM-HH:MM, such as "22:00-06:00" or "00:00-24:00"')
            continue
        minutes += range(begin, end if end > begin else end + MINUTES_PER_DAY)
    return [minute % MINUTES_PER_DAY for minute in minutes]


def _plan(reader: Reader, key: tuple[str, DayType], minutes: list[list[str]]) -> DayPlan:
    """Turn the claims on a day's minutes into its plan; tell the gaps and overlaps."""
    plan: list[tuple[int, str]] = []
    where = f"time_of_use, season {key[0]!r}, {key[1]}"
    for names, run in groupby(range(MINUTES_PER_DAY), key=lambda minute: tuple(minutes[minute])):
        span = list(run)
        hours = f"{_clock(span[0])}-{_clock(span[-1] + 1)}"
        if not names:
            reader.wrong(f"{where}: {hours} has no period; add it to one of the [[time_of_use.hours]]")
        elif len(names) > 1:
            reader.wrong(f"{where}: {hours} is in {' and '.join(names)}; leave it in one of them")
        plan.append((span[0], names[0] if names else ""))
    return tuple(plan)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _seasons(reader: Reader, table: Table) -> tuple[Season, ...]:
    seasons: list[Season] = []
    for place, row in reader.tables(table, "seasons", within="time_of_use"):
        reader.only(row, place, {"name", "from", "to"})
        name = reader.text(row, "name", place)
        if name in {season.name for season in seasons}:
            reader.wrong(f"{place}.name {name!r} is there already; give each season its own name")
        seasons.append(Season(name, reader.month_day(row, "from", place), reader.month_day(row, "to", place)))
    if not seasons:
        return (_ALL_YEAR,)
    for names, days in groupby(_LEAP_YEAR, key=lambda day: tuple(s.name for s in seasons if s.holds(day))):
        span = list(days)
        where = f"time_of_use.seasons: {_day(span[0])} to {_day(span[-1])}"
        if not names:
            reader.wrong(f"{where} is in no season; let one of them reach so far")
        elif len(names) > 1:
            reader.wrong(f"{where} is in {' and '.join(names)}; leave it in one of them")
    return tuple(seasons)


def _day(day: MonthDay) -> str:
    return f"{day[0]:02d}-{day[1]:02d}"


def _holidays(reader: Reader, table: Table) -> Holidays:
    country, subdivision = table.get("country", ""), table.get("subdivision", "")
    if not isinstance(country, str) or not isinstance(subdivision, str):
        reader.wrong(f"time_of_use.country is {country!r}; give its ISO 3166 code, such as 'CN'")
        country = subdivision = ""
    if subdivision and not country:
        reader.wrong(f"time_of_use.subdivision is {subdivision!r} of no country; give the country too")
    if country:
        try:
            country_holidays(country, subdivision)
        except NotImplementedError:
            reader.wrong(
                f"time_of_use.country {country!r} with subdivision {subdivision!r} is not known to the package"
                " holidays; give ISO 3166 codes, such as 'CN' or 'DE' and 'BY', or list the dates as holidays"
            )
            country = ""
    return Holidays(country, subdivision, _dates(reader, table, "holidays"), _dates(reader, table, "workdays"))


def _dates(reader: Reader, table: Table, key: str) -> frozenset[date]:
    values = table.get(key, [])
    dates: set[date] = set()
    for value in values if isinstance(values, Iterable) and not isinstance(values, str) else [values]:
        try:
            dates.add(value if type(value) is date else date.fromisoformat(value))
        except (TypeError, ValueError):
            reader.wrong(f"time_of_use.{key} holds {value!r}; give dates, as in [2026-10-01]")
    return frozenset(dates)
