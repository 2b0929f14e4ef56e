"""A tariff version as rating uses it, read from its TOML file; every error of a file is reported at once.

The file, at its smallest (docs/tariffs.md shows every component)::

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
from typing import Any
from zoneinfo import ZoneInfo

from ledger.rating.calendar import Calendar
from ledger.rating.calendar_file import read_calendar
from ledger.rating.charges_file import read_charge
from ledger.rating.checking import check
from ledger.rating.components import (
    NO_PRORATION,
    AccountClass,
    Allowance,
    BlockCharge,
    Charge,
    Component,
    Derived,
    FreeUnits,
    Levy,
    Minimum,
    Proration,
    Rebate,
    Tax,
)
from ledger.rating.derived_file import DERIVED, read_class, read_proration
from ledger.rating.document import Reader
from ledger.values.errors import InvalidValue

_CURRENCY = re.compile(r"[A-Z]{3}")
_HEAD = ("code", "currency", "time_zone", "billing_period", "prices", "tax_point")
_TABLES = ("time_of_use", "charges", *DERIVED, "classes", "proration")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """An immutable tariff version's content; charges, then what works on them, are rated in their order."""

    code: str
    currency: str
    time_zone: ZoneInfo
    charges: tuple[Charge, ...]
    taxes: tuple[Tax, ...] = ()
    levies: tuple[Levy, ...] = ()
    rebates: tuple[Rebate, ...] = ()
    free_units: tuple[FreeUnits, ...] = ()
    minimums: tuple[Minimum, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    classes: tuple[AccountClass, ...] = ()
    calendar: Calendar | None = None
    is_tax_inclusive: bool = False
    tax_point: str = "supply"
    proration: Proration = NO_PRORATION

    @property
    def is_counting(self) -> bool:
        """Tell whether anything climbs blocks, so that counters depend on the version."""
        return bool(self.free_units) or any(isinstance(charge, BlockCharge) for charge in self.charges)

    @property
    def derived(self) -> tuple[Derived, ...]:
        """What works on the charges, in the order of a bill's lines."""
        return (
            *self.free_units,
            *self.levies,
            *self.rebates,
            *self.minimums,
            *self.allowances,
            *self.taxes,
        )

    @property
    def components(self) -> tuple[Component, ...]:
        """All components in the order of a bill's lines."""
        return (*self.charges, *self.derived)


def parse_tariff(text: str) -> Tariff:
    """Read a tariff file's text; raises InvalidValue naming every error, its place and the remedy."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidValue(f"the tariff file is not TOML: {error}") from None
    reader = Reader()
    tariff = _tariff(reader, document)
    if reader.errors or tariff is None:
        raise InvalidValue("the tariff file is wrong:\n" + "\n".join(f"  - {error}" for error in reader.errors))
    return tariff


def prepaid_errors(tariff: Tariff) -> list[str]:
    """Say why a tariff cannot be used for prepaid supply; empty where it can."""
    return [
        f"charge {charge.component!r} is in volume mode: a block's price applies to all earlier energy too, so usage"
        " that is paid for would be priced again; use cumulative blocks for prepaid supply"
        for charge in tariff.charges
        if isinstance(charge, BlockCharge) and charge.mode == "volume"
    ]


def _tariff(reader: Reader, document: dict[str, Any]) -> Tariff | None:
    reader.only(document, "", {*_HEAD, *_TABLES})
    reader.choice(document, "billing_period", "", ("month",))
    prices = reader.choice(document, "prices", "", ("tax-exclusive", "tax-inclusive"))
    tax_point = reader.choice(document, "tax_point", "", ("supply", "payment"))
    code, currency = reader.text(document, "code", ""), reader.text(document, "currency", "")
    if currency and not _CURRENCY.fullmatch(currency):
        reader.wrong(f"currency is {currency!r}; use its ISO 4217 code, such as 'CNY'")
    zone = _zone(reader, document)
    hours = reader.table(document, "time_of_use")
    calendar = None if hours is None else read_calendar(reader, hours)
    charges = [(place, read_charge(reader, row, place)) for place, row in reader.tables(document, "charges")]
    if not charges:
        reader.wrong("charges: there is none; add at least one [[charges]] table")
    derived = [
        (place, read(reader, row, place))
        for key, read in DERIVED.items()
        for place, row in reader.tables(document, key)
    ]
    classes = [(place, read_class(reader, row, place)) for place, row in reader.tables(document, "classes")]
    check(reader, charges=charges, derived=derived, classes=classes, calendar=calendar)
    proration = read_proration(reader, reader.table(document, "proration") or {})
    if reader.errors or zone is None:
        return None
    things = [thing for _, thing in derived]
    return Tariff(
        code=code,
        currency=currency,
        time_zone=zone,
        charges=tuple(charge for _, charge in charges),
        taxes=tuple(thing for thing in things if isinstance(thing, Tax)),
        levies=tuple(thing for thing in things if isinstance(thing, Levy)),
        rebates=tuple(thing for thing in things if isinstance(thing, Rebate)),
        free_units=tuple(thing for thing in things if isinstance(thing, FreeUnits)),
        minimums=tuple(thing for thing in things if isinstance(thing, Minimum)),
        allowances=tuple(thing for thing in things if isinstance(thing, Allowance)),
        classes=tuple(row for _, row in classes),
        calendar=calendar,
        is_tax_inclusive=prices == "tax-inclusive",
        tax_point=tax_point,
        proration=proration,
    )


def _zone(reader: Reader, document: dict[str, Any]) -> ZoneInfo | None:
    name = document.get("time_zone")
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):
        reader.wrong(f"time_zone {name!r} is unknown; use an IANA name such as 'Asia/Shanghai'")
        return None
