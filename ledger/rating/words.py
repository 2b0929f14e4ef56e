"""What a line says of itself: its component, unit, price, block, period, and the rule in words."""

from decimal import Decimal

from ledger.rating.components import (
    Allowance,
    Component,
    Levy,
    Minimum,
    Rebate,
    Tax,
)
from ledger.rating.lines import Line
from ledger.values.energy import kwh_from_milliwh


class Words:
    """All of a line but its quantity and its amount; one object for each kind of line of a compiled tariff."""

    __slots__ = (
        "allowance", "at_payment", "block", "component", "index", "price", "rule", "tax", "time_of_use", "unit",
    )  # fmt: skip

    def __init__(
        self,
        thing: Component,
        index: int,
        *,
        unit: str,
        price: str,
        rule: str,
        block: str = "",
        time_of_use: str = "",
    ) -> None:
        self.component = thing.component
        self.index = index
        self.unit = unit
        self.price = price
        self.rule = rule
        self.block = block
        self.time_of_use = time_of_use
        self.tax = isinstance(thing, Tax | Levy)
        self.allowance = isinstance(thing, Allowance)
        self.at_payment = False

    def line(self, quantity: str, amount_micros: int, tariff: str, version: int) -> Line:
        """Return the line for a quantity and an amount."""
        return Line(
            self.component,
            quantity,
            self.unit,
            self.price,
            amount_micros,
            tariff,
            version,
            self.tax,
            self.rule,
            self.block,
            self.time_of_use,
            self.allowance,
            self.at_payment,
        )


def percent_words(thing: Component, index: int, *, tax_point: str) -> Words:
    """Return what the line of a percentage says; a tax is marked where it fell due at payment."""
    on = " + ".join(getattr(thing, "on", ()))
    if isinstance(thing, Rebate):
        return Words(thing, index, unit="%", price=f"-{thing.percent}", rule=f"{thing.percent}% off {on}")
    percent = thing.percent if isinstance(thing, Levy | Tax) else None
    words = Words(thing, index, unit="%", price=str(percent), rule=f"{percent}% of {on}")
    words.at_payment = isinstance(thing, Tax) and tax_point == "payment"
    return words


def measured_words(thing: Minimum | Allowance, index: int, months: str = "") -> Words:
    """Return what the line of a minimum's shortfall or of an allowance says."""
    on = " + ".join(thing.on)
    if isinstance(thing, Minimum):
        rule = f"short of the minimum of {thing.amount} a month on {on}{months}"
        return Words(thing, index, unit="period", price=str(thing.amount), rule=rule)
    rule = f"paid by the allowance of {thing.amount_per_day} a day, at most {thing.max_carried} carried over, on {on}"
    return Words(thing, index, unit="allowance", price=str(thing.amount_per_day), rule=rule)


def block_rule(thresholds: tuple[int, ...], block: int, window: str) -> str:
    """Say in words which energy is in a block: `energy from 260 to 600 kWh of the month`."""
    span = "the year" if window == "year" else "the month"
    lower = thresholds[block - 1] if block else 0
    if block == len(thresholds):
        return f"energy above {kwh(lower)} kWh of {span}" if block else "energy used"
    return f"energy from {kwh(lower)} to {kwh(thresholds[block])} kWh of {span}"


def kwh(milliwh: int) -> str:
    """Write milliwatt-hours as kilowatt-hours without trailing zeros."""
    return f"{kwh_from_milliwh(milliwh).normalize():f}"


def plain(number: Decimal) -> str:
    """Write a number as it was given, without an exponent."""
    return f"{number:f}"
