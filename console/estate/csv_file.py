"""An estate as a CSV file: one supply point per row, every error in it found at once.

Columns: supply, site, concentrator, serial, unit, account, tariff, opening_kwh; and where wanted building, room,
profile, max_power_w, limit_w, ct (the transformers' product), class, contracted_kw, since, collector, host, port, and
opening_kwh_PERIOD for each time-of-use register of the profile.
"""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from console.errors import ConsoleError
from console.installing import meter_facts, periods_of
from ledger.domain.supply import Registers
from ledger.rating.bill import watts_from_text
from ledger.usecases.codes import checked_code
from ledger.usecases.conditions import check_multiplier
from ledger.usecases.equip import SupplyPoint
from ledger.usecases.supplies import MeterFacts
from ledger.values.energy import milliwh_from_text
from ledger.values.errors import InvalidValue
from ledger.values.instants import parse_instant

_NEEDED = ("supply", "site", "concentrator", "serial", "unit", "account", "tariff", "opening_kwh")
_OPTIONAL = {
    "building": "",
    "room": "",
    "profile": "acrel_ddsy1352",
    "max_power_w": "20000",
    "limit_w": "0",
    "ct": "1",
    "class": "",
    "contracted_kw": "0",
    "since": "",
    "collector": "edge-1",
    "host": "",
    "port": "502",
}
_PERIOD = "opening_kwh_"
T = TypeVar("T")
_DIGITS = re.compile(r"[0-9]{1,12}")


class EstateRefused(ConsoleError):
    """An estate file is refused whole; every error in it is named, and nothing was booked or written."""

    def __init__(self, path: Path, errors: list[str]) -> None:
        super().__init__(f"{path} is refused, nothing was done:\n" + "\n".join(f"  - {error}" for error in errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class EstateRow:
    """A supply point with its place on a collector's bus; `line` is where it stands in the file."""

    line: int
    point: SupplyPoint
    unit: int
    collector: str
    host: str
    port: int


def read_estate(path: Path) -> list[EstateRow]:
    """Read an estate file; raises EstateRefused naming every line that is wrong."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EstateRefused(path, [f"it cannot be read: {error}; give a CSV file in UTF-8"]) from None
    reader = csv.DictReader(text.splitlines(), strict=True)
    errors = _header_errors(reader.fieldnames or [])
    if errors:
        raise EstateRefused(path, errors)
    rows: list[EstateRow] = []
    try:
        for fields in reader:
            row = _Row(reader.line_num, fields, errors)
            if (read := row.read()) is not None:
                rows.append(read)
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: {error}; quote what holds commas or quotes")
    errors += _doubles(rows)
    if not rows and not errors:
        errors.append("it has no rows; give one per supply point")
    if errors:
        raise EstateRefused(path, errors)
    return rows


def _header_errors(names: Sequence[str]) -> list[str]:
    errors = [f"column {name!r} is missing" for name in _NEEDED if name not in names]
    known = ", ".join((*_NEEDED, *_OPTIONAL, f"{_PERIOD}PERIOD"))
    errors += [
        f"column {name!r} is not known; the columns are {known}"
        for name in names
        if name not in (*_NEEDED, *_OPTIONAL) and not name.startswith(_PERIOD)
    ]
    return errors + [
        f"column {name!r} is there twice" for name in sorted({n for n in names if list(names).count(n) > 1})
    ]


class _Row:
    """One row being read; what is wrong with it goes to the file's errors."""

    def __init__(self, line: int, fields: "dict[str | None, str | list[str] | None]", errors: list[str]) -> None:
        self._line = line
        self._errors = errors
        self._wrong = False
        if None in fields or None in fields.values():
            self._tell("it has more or fewer fields than the header")
        self._fields = {str(name): str(value or "").strip() for name, value in fields.items() if name is not None}

    def read(self) -> EstateRow | None:
        if self._wrong:
            return None
        serial = self._code("serial")
        profile = self._text("profile")
        max_power_w = self._number("max_power_w", 1, 10**9)
        limit_w = self._number("limit_w", 0, 10**9)
        meter = self._checked(
            lambda: meter_facts(serial=serial, profile=profile, max_power_w=max_power_w, limit_w=limit_w)
        )
        opening_milliwh = self._checked(lambda: milliwh_from_text(self._text("opening_kwh")))
        if meter is not None:
            self._checked(lambda: self._check_multiplier(meter))
        registers = self._checked(lambda: self._registers(profile))
        contracted_w = self._checked(lambda: watts_from_text(self._text("contracted_kw"))) or 0
        since = self._checked(self._since)
        codes = {name: self._code(name) for name in ("supply", "site", "concentrator", "account", "tariff")}
        unit, port = self._number("unit", 1, 247), self._number("port", 1, 65_535)
        collector = self._code("collector")
        if self._wrong or meter is None or opening_milliwh is None:
            return None
        point = SupplyPoint(
            **codes,
            meter=meter,
            opening_milliwh=opening_milliwh,
            building=self._text("building"),
            room=self._text("room"),
            account_class=self._text("class"),
            contracted_w=contracted_w,
            multiplier=self._text("ct"),
            opening_registers=registers,
            since=since,
        )
        return EstateRow(
            line=self._line, point=point, unit=unit, collector=collector, host=self._text("host"), port=port
        )

    def _check_multiplier(self, meter: MeterFacts) -> None:
        check_multiplier(self._text("ct"), modulus_milliwh=meter.modulus_milliwh, measures=meter.measures)

    def _registers(self, profile: str) -> Registers | None:
        """Return the time-of-use registers that the row has, None where it has none."""
        given = {name.removeprefix(_PERIOD): text for name, text in self._fields.items() if name.startswith(_PERIOD)}
        periods = {name: milliwh_from_text(text) for name, text in given.items() if text}
        known = periods_of(profile) if periods else ()
        if unknown := [name for name in periods if name not in known]:
            raise InvalidValue(
                f"profile {profile!r} has no register for {', '.join(unknown)}; it has {', '.join(known) or 'none'}"
            )
        return Registers(periods=periods) if periods else None

    def _since(self) -> datetime | None:
        return parse_instant(self._text("since")) if self._text("since") else None

    def _text(self, name: str) -> str:
        return self._fields.get(name) or _OPTIONAL.get(name, "")

    def _code(self, name: str) -> str:
        text = self._text(name)
        self._checked(lambda: checked_code(text, what=name))
        return text

    def _number(self, name: str, least: int, most: int) -> int:
        text = self._text(name)
        if not _DIGITS.fullmatch(text) or not least <= int(text) <= most:
            self._tell(f"{name} {text!r} is not a whole number from {least} to {most}")
            return least
        return int(text)

    def _checked(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (InvalidValue, ConsoleError) as error:
            self._tell(str(error))
            return None

    def _tell(self, problem: str) -> None:
        self._wrong = True
        self._errors.append(f"line {self._line}: {problem}")


def _doubles(rows: list[EstateRow]) -> Iterator[str]:
    """Yield what stands twice and must not: supply points, serials, units on one bus, and buses at two addresses."""
    seen: dict[tuple[str, ...], int] = {}
    places: dict[str, tuple[EstateRow, tuple[str, str, int]]] = {}
    for row in rows:
        point = row.point
        for what, *key in (
            ("supply", point.supply),
            ("serial", point.meter.serial),
            ("unit", point.concentrator, str(row.unit)),
        ):
            first = seen.setdefault((what, *key), row.line)
            if first != row.line:
                yield f"line {row.line}: {what} {key[-1]!r} stands in line {first} already; each may be there once"
        place = (row.collector, row.host, row.port)
        other, its_place = places.setdefault(point.concentrator, (row, place))
        if its_place != place:
            yield (
                f"line {row.line}: concentrator {point.concentrator!r} is of {place}, in line {other.line} of"
                f" {its_place}; a concentrator has one collector, host and port"
            )
