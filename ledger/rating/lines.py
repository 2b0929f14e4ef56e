"""What rating takes in and gives out: atoms of usage, counters, and the explained lines of a debit."""

from datetime import datetime

import msgspec


class Counters(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What pricing remembers of an occupancy's billing period: its local name, and milliwatt-hours so far."""

    period: str = ""
    energy_milliwh: int = 0


class Atom(msgspec.Struct, frozen=True, gc=False):
    """Usage that no boundary cuts: a half-open span, its energy, and the billing period that it lies in."""

    start: datetime
    end: datetime
    energy_milliwh: int
    period: str


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One line of a debit: quantity in `unit`, price in currency units per unit or in per cent, amount in micros."""

    component: str
    quantity: str
    unit: str
    price: str
    amount_micros: int
    tariff: str
    version: int
    tax: bool = False
    rule: str = ""


class Rated(msgspec.Struct, frozen=True, gc=False):
    """The outcome of rating: lines in the order of the tariff's components, and the counters after."""

    lines: list[Line]
    counters: Counters
