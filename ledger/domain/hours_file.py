"""Hours, holidays and zones as TOML files say them: each error with its place and its remedy."""

import re
from datetime import date
from typing import Any, get_args
from zoneinfo import ZoneInfo

from ledger.domain.local_hours import WEEKDAYS, DayName, LocalHours
from ledger.rating.calendar import MINUTES_PER_DAY, country_holidays
from ledger.rating.document import Reader, Table

_DAYS: dict[str, tuple[DayName, ...]] = {
    "every-day": WEEKDAYS,
    "weekdays": WEEKDAYS[:5],
    "weekend": WEEKDAYS[5:],
    **{day: (day,) for day in get_args(DayName)},
}
_RANGE = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def zone_of(reader: Reader, document: Table) -> str:
    """Return the time zone; UTC after telling that it is none."""
    name = document.get("zone")
    try:
        if not isinstance(name, str):
            raise ValueError
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        reader.wrong(f'zone is {name!r}; give the site\'s time zone, as in "Asia/Shanghai"')
        return "UTC"
    return name


def hours_of(reader: Reader, place: str, row: Table, *, has_holidays: bool, within: str = "") -> list[LocalHours]:
    """Return the hours that a table with days and times says."""
    reader.only(row, place, {"days", "times"})
    days: dict[DayName, None] = {}
    for name in reader.names(row, "days", place):
        if name not in _DAYS:
            reader.wrong(f"{place}.days names {name!r}; known: {', '.join(_DAYS)}")
        elif name == "holiday" and not has_holidays:
            reader.wrong(f"{place}.days names 'holiday'; give {within}country or {within}holidays, too")
        days |= dict.fromkeys(_DAYS.get(name, ()))
    times = reader.names(row, "times", place)
    if not row.get("days") or not times:
        reader.wrong(f'{place} lacks days or times; as in days = ["weekdays"], times = ["18:00-09:00"]')
    found: list[LocalHours] = []
    for text in times:
        match = _RANGE.fullmatch(text)
        numbers = [int(number) for number in match.groups()] if match else [99, 0, 0, 0]
        begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if max(numbers[1], numbers[3]) > 59 or begin >= MINUTES_PER_DAY or end > MINUTES_PER_DAY or begin == end:
            reader.wrong(f'{place}.times holds {text!r}; give HH:MM-HH:MM, such as "18:00-09:00" or "00:00-24:00"')
            continue
        found.append(LocalHours(tuple(days), begin, end))
    return found


def country_of(reader: Reader, table: Table, *, within: str = "") -> tuple[str, str]:
    """Return the country and the subdivision whose holidays count; both empty after telling what is wrong."""
    country, subdivision = table.get("country", ""), table.get("subdivision", "")
    try:
        if not isinstance(country, str) or not isinstance(subdivision, str) or (subdivision and not country):
            raise NotImplementedError
        if country:
            country_holidays(country, subdivision)
    except NotImplementedError:
        reader.wrong(
            f"{within}country {country!r} with subdivision {subdivision!r} is not known to the package holidays;"
            " give ISO 3166 codes, such as 'CN' or 'DE' and 'BY', or list the dates as holidays"
        )
        return "", ""
    return country, subdivision


def dates_of(reader: Reader, table: Table, key: str, *, within: str = "") -> tuple[date, ...]:
    """Return a list of dates; none after telling what is wrong."""
    values: Any = table.get(key, [])
    if not isinstance(values, list) or any(type(value) is not date for value in values):
        reader.wrong(f"{within}{key} is {values!r}; give dates, as in [2026-10-01]")
        return ()
    return tuple(values)
