"""A tariff version as rating uses it, read from its TOML file; every error of a file is reported at once.

The file::

    code = "residential"
    currency = "CNY"
    time_zone = "Asia/Shanghai"
    billing_period = "month"
    prices = "tax-exclusive"
    tax_point = "supply"

    [[charges]]
    component = "energy"
    kind = "flat"
    price_per_kwh = "0.64"

    [[taxes]]
    component = "vat"
    percent = "13"
    on = ["energy"]
"""

import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue

# Components become codes of the books and of reports.
_COMPONENT = re.compile(r"[a-z][a-z0-9-]{0,39}")
# An account of the books beside which taxes are booked: a tax of this name would be the consumers' money.
_RESERVED = frozenset({"prepayment"})
_CURRENCY = re.compile(r"[A-Z]{3}")
# Amounts stay far inside what the books hold, and an exponent cannot make a number of a million digits.
_LARGEST = Decimal(10) ** 9
_FINEST_EXPONENT = -12


@dataclass(frozen=True, slots=True)
class FlatCharge:
    """A price per kilowatt-hour, in currency units."""

    component: str
    price_per_kwh: Decimal

    @property
    def micros_per_milliwh(self) -> Fraction:
        """The exact price in micro-units of money per milliwatt-hour; the two 10⁶ cancel."""
        return Fraction(self.price_per_kwh)


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax in per cent of the exact sum of the components it is on."""

    component: str
    percent: Decimal
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tariff:
    """An immutable tariff version's content; `charges` and `taxes` are rated in their order."""

    code: str
    currency: str
    time_zone: ZoneInfo
    charges: tuple[FlatCharge, ...]
    taxes: tuple[Tax, ...]


def parse_tariff(text: str) -> Tariff:
    """Read a tariff file's text; raises InvalidValue naming every error, its place and the remedy."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidValue(f"the tariff file is not TOML: {error}") from None
    reader = _Reader()
    tariff = reader.tariff(document)
    if reader.errors or tariff is None:
        raise InvalidValue("the tariff file is wrong:\n" + "\n".join(f"  - {error}" for error in reader.errors))
    return tariff


class _Reader:
    """Collects what is wrong with a tariff document while it reads it."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def tariff(self, document: dict[str, Any]) -> Tariff | None:
        self._only(document, "", {"code", "currency", "time_zone", "charges", "taxes"} | set(_FIXED))
        for key, value in _FIXED.items():
            if document.get(key) != value:
                self.errors.append(f"{key} is {document.get(key)!r}; this version knows {value!r} only")
        code = self._text(document, "code", "code")
        currency = self._text(document, "currency", "currency")
        if currency and not _CURRENCY.fullmatch(currency):
            self.errors.append(f"currency is {currency!r}; use its ISO 4217 code, such as 'CNY'")
        zone = self._zone(document)
        charges = [self._charge(row, place) for place, row in self._tables(document, "charges")]
        if not charges:
            self.errors.append("charges: there is none; add at least one [[charges]] table")
        known = {charge.component for charge in charges if charge}
        taxes = [self._tax(row, place, known) for place, row in self._tables(document, "taxes")]
        names = [item.component for item in (*charges, *taxes) if item]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.errors.append(f"component {name!r} is there more than once; give each its own name")
        if self.errors or zone is None:
            return None
        return Tariff(
            code=code,
            currency=currency,
            time_zone=zone,
            charges=tuple(charge for charge in charges if charge),
            taxes=tuple(tax for tax in taxes if tax),
        )

    def _charge(self, row: dict[str, Any], place: str) -> FlatCharge | None:
        self._only(row, place, {"component", "kind", "price_per_kwh"})
        if row.get("kind") != "flat":
            self.errors.append(f"{place}.kind is {row.get('kind')!r}; this version knows 'flat' only")
        component = self._component(row, place)
        price = self._decimal(row, "price_per_kwh", f"{place}.price_per_kwh")
        return FlatCharge(component=component, price_per_kwh=price) if price is not None else None

    def _tax(self, row: dict[str, Any], place: str, known: set[str]) -> Tax | None:
        self._only(row, place, {"component", "percent", "on"})
        component = self._component(row, place)
        percent = self._decimal(row, "percent", f"{place}.percent")
        bases = row.get("on")
        if not isinstance(bases, list) or not bases:
            self.errors.append(f"{place}.on is missing; list the components that are taxed")
            bases = []
        for base in bases:
            if not isinstance(base, str) or base not in known:
                self.errors.append(f"{place}.on names {base!r}, which is no charge; known: {sorted(known)}")
        return Tax(component=component, percent=percent, on=tuple(bases)) if percent is not None else None

    def _zone(self, document: dict[str, Any]) -> ZoneInfo | None:
        name = document.get("time_zone")
        try:
            return ZoneInfo(str(name))
        except (KeyError, ValueError, OSError):
            self.errors.append(f"time_zone {name!r} is unknown; use an IANA name such as 'Asia/Shanghai'")
            return None

    def _tables(self, document: dict[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the tables of a list with their places, the first being 1."""
        rows = document.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            self.errors.append(f"{key} is {rows!r}; write [[{key}]] tables")
            return []
        return [(f"{key}[{number}]", row) for number, row in enumerate(rows, 1)]

    def _component(self, row: dict[str, Any], place: str) -> str:
        name = self._text(row, "component", f"{place}.component")
        if name and (name in _RESERVED or not _COMPONENT.fullmatch(name)):
            self.errors.append(
                f"{place}.component {name!r} is reserved or no name; use letters, digits and -, as in 'energy'"
            )
        return name

    def _text(self, row: dict[str, Any], key: str, place: str) -> str:
        value = row.get(key)
        if isinstance(value, str) and value:
            return value
        self.errors.append(f"{place} is {value!r}; give a text")
        return ""

    def _decimal(self, row: dict[str, Any], key: str, place: str) -> Decimal | None:
        value = row.get(key)
        # A TOML float has lost its digits already, so prices are texts (or whole numbers).
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            try:
                number = decimal_from_text(str(value), what=place)
            except InvalidValue:
                number = Decimal("NaN")
            if number.is_finite() and 0 <= number <= _LARGEST and _exponent(number) >= _FINEST_EXPONENT:
                return number
        self.errors.append(
            f'{place} is {value!r}; give a decimal in quotes, 0 to 1000000000 with at most 12 places, as in "0.64"'
        )
        return None

    def _only(self, row: dict[str, Any], place: str, known: set[str]) -> None:
        for key in sorted(set(row) - known):
            self.errors.append(f"{place + '.' if place else ''}{key} is not known; known: {sorted(known)}")


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return exponent if isinstance(exponent, int) else _FINEST_EXPONENT - 1


_FIXED = {"billing_period": "month", "prices": "tax-exclusive", "tax_point": "supply"}
