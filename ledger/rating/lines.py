"""What rating takes in and gives out: atoms of usage, counters, and the explained lines of a debit."""

from datetime import datetime

import msgspec

# Beside the current one: a load profile's gaps are filled within two months or by hand.
PERIODS_KEPT = 2


class Counters(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What pricing remembers of an occupancy's billing period: its local name, and milliwatt-hours so far.

    `others` are the periods rated before it, oldest first: an interval may fill a gap of last month's, and neither
    month may lose its place then. Periods older than these start anew.
    """

    period: str = ""
    energy_milliwh: int = 0
    others: tuple[tuple[str, int], ...] = ()

    def turned_to(self, period: str) -> "Counters":
        """Return the counters of another period, with this one kept among the others."""
        if period == self.period:
            return self
        known = dict(self.others)
        if self.period:
            known[self.period] = self.energy_milliwh
        energy_milliwh = known.pop(period, 0)
        return Counters(period, energy_milliwh, tuple(sorted(known.items())[-PERIODS_KEPT:]))


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
