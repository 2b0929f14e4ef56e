"""Reading what works on charges: levies, rebates, free units, minimums, allowances, taxes, classes, proration."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from ledger.rating.components import (
    AccountClass,
    Allowance,
    Derived,
    FreeUnits,
    Levy,
    Minimum,
    OnChange,
    Proration,
    ProrationRule,
    Rebate,
    Tax,
    Window,
)
from ledger.rating.document import Reader, Table

_BASIC = {"component", "on"}
_RULES = ("none", "days", "months")
_ON_CHANGE = ("carry-over", "restart", "prorate")


def read_levy(reader: Reader, row: Table, place: str) -> Levy:
    """Read a levy in per cent or per kilowatt-hour."""
    reader.only(row, place, _BASIC | {"percent", "price_per_kwh"})
    if ("percent" in row) == ("price_per_kwh" in row):
        reader.wrong(f"{place} needs either percent or price_per_kwh; give one of them")
    component, on = reader.component(row, place), reader.names(row, "on", place)
    if "percent" not in row and "price_per_kwh" in row:
        return Levy(component, None, reader.decimal(row, "price_per_kwh", place), on)
    percent = reader.decimal(row, "percent", place, Decimal(0))
    return Levy(component, percent, None, _bases(reader, row, place))


def read_rebate(reader: Reader, row: Table, place: str) -> Rebate:
    """Read a rebate in per cent."""
    reader.only(row, place, _BASIC | {"percent"})
    percent = reader.decimal(row, "percent", place)
    if percent > 100:
        reader.wrong(f"{place}.percent is {percent}; a rebate gives back 100 at most")
    return Rebate(reader.component(row, place), percent, _bases(reader, row, place))


def read_free_units(reader: Reader, row: Table, place: str) -> FreeUnits:
    """Read free basic units per month, or per day × days in the month."""
    reader.only(row, place, _BASIC | {"kwh", "window"})
    window = reader.choice(row, "window", place, ("month", "day"), "month")
    milliwh = reader.milliwh(row, "kwh", place)
    return FreeUnits(reader.component(row, place), milliwh, cast(Window, window), _bases(reader, row, place))


def read_minimum(reader: Reader, row: Table, place: str) -> Minimum:
    """Read a minimum charge of the billing period."""
    reader.only(row, place, _BASIC | {"amount"})
    amount = reader.decimal(row, "amount", place)
    return Minimum(reader.component(row, place), amount, _bases(reader, row, place))


def read_allowance(reader: Reader, row: Table, place: str) -> Allowance:
    """Read a social allowance per day; nothing is carried over unless it says how much."""
    reader.only(row, place, _BASIC | {"amount_per_day", "max_carried"})
    amount = reader.decimal(row, "amount_per_day", place)
    carried = reader.decimal(row, "max_carried", place, Decimal(0))
    return Allowance(reader.component(row, place), amount, carried, _bases(reader, row, place))


def read_tax(reader: Reader, row: Table, place: str) -> Tax:
    """Read a tax in per cent."""
    reader.only(row, place, _BASIC | {"percent"})
    percent = reader.decimal(row, "percent", place)
    return Tax(reader.component(row, place), percent, _bases(reader, row, place))


def read_class(reader: Reader, row: Table, place: str) -> AccountClass:
    """Read an account class and what it multiplies."""
    reader.only(row, place, {"name", "multiplier", "on"})
    name = reader.text(row, "name", place)
    return AccountClass(name, reader.decimal(row, "multiplier", place), reader.names(row, "on", place))


def read_proration(reader: Reader, row: Table) -> Proration:
    """Read how parts of windows are treated."""
    reader.only(row, "proration", {"blocks", "free_units", "minimum", "on_change"})
    blocks, free_units, minimum = (
        cast(ProrationRule, reader.choice(row, key, "proration", _RULES, "none"))
        for key in ("blocks", "free_units", "minimum")
    )
    on_change = cast(OnChange, reader.choice(row, "on_change", "proration", _ON_CHANGE, "carry-over"))
    return Proration(blocks, free_units, minimum, on_change)


def _bases(reader: Reader, row: Table, place: str) -> tuple[str, ...]:
    """Return the bases that must be there; whether they are known is seen when all components are."""
    bases = row.get("on")
    if not isinstance(bases, list) or not bases:
        reader.wrong(f"{place}.on is missing; list the components that it works on")
        return ()
    return tuple(str(base) for base in bases)


DERIVED: dict[str, Callable[[Reader, Table, str], Derived]] = {
    "levies": read_levy,
    "rebates": read_rebate,
    "free_units": read_free_units,
    "minimums": read_minimum,
    "allowances": read_allowance,
    "taxes": read_tax,
}
