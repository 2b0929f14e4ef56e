"""Reading a tariff document: each value checked, each mistake kept with its place, none of them stopping the rest."""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from typing import Any

from ledger.rating.components import MonthDay
from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue

Table = Mapping[str, Any]

# Components become codes of the books and of reports.
_COMPONENT = re.compile(r"[a-z][a-z0-9-]{0,39}")
# An account of the books beside which taxes are booked: a tax of this name would be the consumers' money.
_RESERVED = frozenset({"prepayment"})
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d)")
_DAYS_OF_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
# Amounts stay far inside what the books hold, and an exponent cannot make a number of a million digits.
_LARGEST = Decimal(10) ** 9
_FINEST_EXPONENT = -12


class Reader:
    """Collects what is wrong with a tariff document while it is read."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def wrong(self, message: str) -> None:
        """Keep one mistake: its place, the value, and the remedy."""
        self.errors.append(message)

    def only(self, row: Table, place: str, known: Collection[str]) -> None:
        """Refuse keys that mean nothing here."""
        for key in sorted(set(row) - set(known)):
            self.wrong(f"{_at(place, key)} is not known; known: {sorted(known)}")

    def text(self, row: Table, key: str, place: str) -> str:
        """Return a text that must be there and not be empty."""
        value = row.get(key)
        if isinstance(value, str) and value:
            return value
        self.wrong(f"{_at(place, key)} is {value!r}; give a text")
        return ""

    def choice(self, row: Table, key: str, place: str, known: Collection[str], default: str | None = None) -> str:
        """Return one of a few texts; the first known one after telling that it is none."""
        value = row.get(key, default)
        if isinstance(value, str) and value in known:
            return value
        names = " or ".join(repr(name) for name in known)
        self.wrong(f"{_at(place, key)} is {value!r}; this version knows {names} only")
        return next(iter(known))

    def component(self, row: Table, place: str) -> str:
        """Return a component's name."""
        name = self.text(row, "component", place)
        if name and (name in _RESERVED or not _COMPONENT.fullmatch(name)):
            self.wrong(
                f"{place}.component {name!r} is reserved or no name; use letters, digits and -, as in 'energy'"
            )
        return name

    def names(self, row: Table, key: str, place: str) -> tuple[str, ...]:
        """Return a list of texts; a missing one is empty."""
        values = row.get(key, [])
        if isinstance(values, list) and all(isinstance(value, str) for value in values):
            return tuple(values)
        self.wrong(f"{_at(place, key)} is {values!r}; give a list of names")
        return ()

    def decimal(self, row: Table, key: str, place: str, default: Decimal | None = None) -> Decimal:
        """Return a decimal of 0 or more; 0 after telling that it is none."""
        value = row.get(key, default)
        number = _decimal(value)
        if number is not None:
            return number
        self.wrong(
            f"{_at(place, key)} is {value!r}; give a decimal in quotes, 0 to 1000000000 with at most 12 places,"
            ' as in "0.64"'
        )
        return Decimal(0)

    def milliwh(self, row: Table, key: str, place: str) -> int:
        """Return kilowatt-hours as integer milliwatt-hours."""
        milliwh = self.decimal(row, key, place) * 1_000_000
        if milliwh != milliwh.to_integral_value():
            self.wrong(f"{_at(place, key)} is {row.get(key)!r}; it is finer than 0.000001 kWh: give fewer places")
        return int(milliwh)

    def whole(self, row: Table, key: str, place: str, known: Collection[int], default: int) -> int:
        """Return a whole number out of a few."""
        value = row.get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and value in known:
            return value
        self.wrong(f"{_at(place, key)} is {value!r}; use one of {sorted(known)}")
        return default

    def prices(self, row: Table, key: str, place: str) -> dict[str, Decimal]:
        """Return a table of prices by time-of-use period."""
        table = row.get(key)
        if not isinstance(table, Mapping) or not table:
            self.wrong(f'{_at(place, key)} is {table!r}; give a price for each period, as in {{ "峰" = "0.9" }}')
            return {}
        return {name: self.decimal(table, name, _at(place, key)) for name in table}

    def month_day(self, row: Table, key: str, place: str, default: str | None = None) -> MonthDay:
        """Return a day of the year written `MM-DD`; 29 February is there in leap years."""
        value = row.get(key, default)
        match = _MONTH_DAY.fullmatch(value) if isinstance(value, str) else None
        if match:
            month, day = int(match[1]), int(match[2])
            if 1 <= month <= 12 and 1 <= day <= _DAYS_OF_MONTH[month - 1]:
                return month, day
        self.wrong(f'{_at(place, key)} is {value!r}; give a month and a day, as in "07-01"')
        return 1, 1

    def table(self, document: Table, key: str) -> Table | None:
        """Return a table, None where there is none."""
        value = document.get(key)
        if value is None or isinstance(value, Mapping):
            return value
        self.wrong(f"{key} is {value!r}; write a [{key}] table")
        return None

    def tables(self, document: Table, key: str, within: str = "") -> list[tuple[str, Table]]:
        """Return the tables of a list with their places, the first being 1."""
        rows = document.get(key, [])
        name = _at(within, key)
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            self.wrong(f"{name} is {rows!r}; write [[{name}]] tables")
            return []
        return [(f"{name}[{number}]", row) for number, row in enumerate(rows, 1)]


def _at(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _decimal(value: object) -> Decimal | None:
    # A TOML float has lost its digits already, so prices are texts (or whole numbers).
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = decimal_from_text(value, what="decimal") if isinstance(value, str) else Decimal(value)
    except InvalidValue:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or not 0 <= number <= _LARGEST or exponent < _FINEST_EXPONENT:
        return None
    return number
