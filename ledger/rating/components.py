"""What a tariff is made of: its charges, and what works on them; plain values, as the file says them.

Prices are in currency units per unit of quantity; energies are integer milliwatt-hours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Unit = Literal["kWh", "kvarh", "kVAh"]
Window = Literal["month", "year", "day"]
Mode = Literal["cumulative", "volume"]
ProrationRule = Literal["none", "days", "months"]
OnChange = Literal["carry-over", "restart", "prorate"]
MonthDay = tuple[int, int]

# The key of a price that holds at all times.
ALWAYS = ""
NEW_YEAR: MonthDay = (1, 1)


@dataclass(frozen=True, slots=True)
class FlatCharge:
    """One price per unit of energy; `periods` are the time-of-use periods that it is for, none meaning all."""

    component: str
    price_per_kwh: Decimal
    unit: Unit = "kWh"
    periods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TimeOfUseCharge:
    """A price per unit of energy for each time-of-use period."""

    component: str
    prices: Mapping[str, Decimal]
    unit: Unit = "kWh"


@dataclass(frozen=True, slots=True)
class Block:
    """A step of a ladder, up to and including `up_to_milliwh` (None: without end); prices by time-of-use period.

    Under `ALWAYS` stands the price of a block that knows no periods. The entry fee falls on the first energy in it.
    """

    up_to_milliwh: int | None
    prices: Mapping[str, Decimal]
    entry_fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class BlockCharge:
    """Increasing blocks of the energy in a window: month, year from its anchor, or per day × days in the month."""

    component: str
    blocks: tuple[Block, ...]
    window: Window = "month"
    anchor: MonthDay = NEW_YEAR
    mode: Mode = "cumulative"
    periods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DailyCharge:
    """A standing charge per whole local day."""

    component: str
    price_per_day: Decimal


@dataclass(frozen=True, slots=True)
class CapacityCharge:
    """A fixed charge per contracted kilowatt and month, charged as rate × 12 / 365 per local day."""

    component: str
    price_per_kw_month: Decimal


@dataclass(frozen=True, slots=True)
class DemandCharge:
    """A charge per kilowatt on the highest demand of the billing period; a new maximum debits its increment.

    `interval_min` > 0 also takes demand from clock-aligned intervals of just that length.
    """

    component: str
    price_per_kw: Decimal
    interval_min: int = 0
    periods: tuple[str, ...] = ()


Charge = FlatCharge | TimeOfUseCharge | BlockCharge | DailyCharge | CapacityCharge | DemandCharge


@dataclass(frozen=True, slots=True)
class Levy:
    """In per cent of its bases, or per kilowatt-hour of the energy that its bases charge (no base: of all energy)."""

    component: str
    percent: Decimal | None
    price_per_kwh: Decimal | None
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebate:
    """Per cent taken off its bases."""

    component: str
    percent: Decimal
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """The first energy of each month is free of its bases' charges; it still counts in their blocks."""

    component: str
    milliwh: int
    window: Window
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Minimum:
    """What its bases must come to in a billing period; what is short is charged when it closes."""

    component: str
    amount: Decimal
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Allowance:
    """A social allowance: money granted each local day against its bases; at most `max_carried` is carried over."""

    component: str
    amount_per_day: Decimal
    max_carried: Decimal
    on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tax:
    """A tax in per cent of the exact sum of the components it is on."""

    component: str
    percent: Decimal
    on: tuple[str, ...]


Derived = Levy | Rebate | FreeUnits | Minimum | Allowance | Tax
Component = Charge | Derived


@dataclass(frozen=True, slots=True)
class AccountClass:
    """A class of accounts that pays a multiple of some charges' prices (`on` empty: of all charges')."""

    name: str
    multiplier: Decimal
    on: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proration:
    """How blocks, free units and the minimum shrink where only part of their window is lived in.

    `days`: by the days of it; `months`: by its whole or begun months; `on_change` says what a tariff change in the
    middle of a window does to block counters.
    """

    blocks: ProrationRule = "none"
    free_units: ProrationRule = "none"
    minimum: ProrationRule = "none"
    on_change: OnChange = "carry-over"


NO_PRORATION = Proration()
