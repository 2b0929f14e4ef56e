"""A timetable as a TOML file: read with every error at once, each with its place and its remedy; written back."""

import json
import tomllib
from collections.abc import Iterable, Iterator

from ledger.domain.hours_file import country_of, dates_of, hours_of, zone_of
from ledger.domain.local_hours import times_text
from ledger.domain.timetable import Timetable
from ledger.rating.document import Reader
from ledger.values.errors import InvalidValue

_KEYS = {"zone", "off", "on_dates", "country", "subdivision", "holidays"}


class WrongTimetable(InvalidValue):
    """A timetable file with its errors, all of them."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("the timetable is wrong:\n" + "\n".join(f"  - {error}" for error in self.errors))


def read_timetable(text: str) -> Timetable:
    """Return the timetable that a file says; raises WrongTimetable with every error."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise WrongTimetable([f"it is no TOML: {error}"]) from None
    reader = Reader()
    reader.only(document, "", _KEYS)
    country, subdivision = country_of(reader, document)
    holidays = dates_of(reader, document, "holidays")
    hours = [
        row
        for place, given in reader.tables(document, "off")
        for row in hours_of(reader, place, given, has_holidays=bool(country or holidays))
    ]
    timetable = Timetable(
        zone=zone_of(reader, document),
        off=tuple(hours),
        on_dates=dates_of(reader, document, "on_dates"),
        country=country,
        subdivision=subdivision,
        holidays=holidays,
    )
    if reader.errors:
        raise WrongTimetable(reader.errors)
    return timetable


def timetable_text(timetable: Timetable) -> str:
    """Return the TOML text that is read as this very timetable."""
    return "\n".join(_lines(timetable)) + "\n"


def _lines(timetable: Timetable) -> Iterator[str]:
    yield f"zone = {json.dumps(timetable.zone)}"
    yield f"on_dates = [{', '.join(day.isoformat() for day in timetable.on_dates)}]"
    yield f"country = {json.dumps(timetable.country)}"
    yield f"subdivision = {json.dumps(timetable.subdivision)}"
    yield f"holidays = [{', '.join(day.isoformat() for day in timetable.holidays)}]"
    for hours in timetable.off:
        yield "\n[[off]]"
        yield f"days = {json.dumps(list(hours.days))}"
        yield f'times = ["{times_text(hours)}"]'
