"""What rating takes in and gives out: atoms of usage, counters, and the explained lines of a debit."""

from datetime import date, datetime

import msgspec

# Beside the current one: a load profile's gaps are filled within two months or by hand.
PERIODS_KEPT = 2


class Tally(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A billing period's exact state, beside its energy: see `Counters`."""

    denominator: int = 0
    charges: dict[str, int] = {}
    positions: dict[str, int] = {}
    demands_w: dict[str, int] = {}


class Counters(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What pricing remembers of an occupancy's billing period: its local name, and milliwatt-hours so far.

    `charges` are the exact charges of the period by component: numerators over the common `denominator`, in
    micro-units. `positions` are the milliwatt-hours counted on each component's ladder of blocks, `demands_w` the
    highest demands. `others` are the periods rated before, oldest first, and `earlier` their exact state: an interval
    may fill a gap of last month's, and neither month may lose its place then. Periods older than these start anew.

    Beyond the billing period: `years`, positions on ladders of annual windows (`component@first day`), `pools`, what
    is left of allowances in micro-units (numerator and denominator), and `tariff`, the version that counted blocks.
    `closed` are the kept periods that were closed, each with the local days lived in of it (half-open, None: no end).
    """

    period: str = ""
    energy_milliwh: int = 0
    others: tuple[tuple[str, int], ...] = ()
    denominator: int = 0
    charges: dict[str, int] = {}
    positions: dict[str, int] = {}
    demands_w: dict[str, int] = {}
    earlier: dict[str, Tally] = {}
    years: dict[str, int] = {}
    pools: dict[str, tuple[int, int]] = {}
    tariff: str = ""
    closed: dict[str, tuple[date | None, date | None]] = {}

    def turned_to(self, period: str) -> "Counters":
        """Return the counters of another period, with this one kept among the others."""
        if period == self.period:
            return self
        known, tallies = dict(self.others), dict(self.earlier)
        if self.period:
            known[self.period] = self.energy_milliwh
            tallies[self.period] = Tally(self.denominator, self.charges, self.positions, self.demands_w)
        energy_milliwh, tally = known.pop(period, 0), tallies.pop(period, Tally())
        kept = sorted(known.items())[-PERIODS_KEPT:]
        return Counters(
            period=period,
            energy_milliwh=energy_milliwh,
            others=tuple(kept),
            denominator=tally.denominator,
            charges=tally.charges,
            positions=tally.positions,
            demands_w=tally.demands_w,
            earlier={name: tallies[name] for name, _ in kept if name in tallies},
            years=self.years,
            pools=self.pools,
            tariff=self.tariff,
            closed={name: part for name, part in self.closed.items() if name == period or name in dict(kept)},
        )

    def has_forgotten(self, period: str) -> bool:
        """Tell whether a period may have been rated so long ago that its exact state is no longer kept."""
        known = [name for name, _ in self.others]
        return period != self.period and period not in known and len(known) >= PERIODS_KEPT and period < min(known)


FRESH = Counters()


class Atom(msgspec.Struct, frozen=True, gc=False):
    """Usage that no boundary cuts: a half-open span, its energy, and the billing and time-of-use period it lies in.

    `demand_w` is the demand that was measured by the end of the span, None where none was.
    """

    start: datetime
    end: datetime
    energy_milliwh: int
    period: str
    time_of_use: str = ""
    reactive_millivarh: int = 0
    apparent_millivah: int = 0
    demand_w: int | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of a debit: quantity in `unit`, price in currency units per unit or in per cent, amount in micros.

    `tax` marks what is owed to an authority: taxes and levies; `allowance` what a social allowance pays,
    `at_payment` a tax that fell due when the consumer paid. `block` is the number of the block, `time_of_use` the
    name of the period, empty where the component knows none.
    """

    component: str
    quantity: str
    unit: str
    price: str
    amount_micros: int
    tariff: str
    version: int
    tax: bool = False
    rule: str = ""
    block: str = ""
    time_of_use: str = ""
    allowance: bool = False
    at_payment: bool = False


class Rated(msgspec.Struct, frozen=True, gc=False):
    """The outcome of rating: lines in the order of the tariff's components, and the counters after."""

    lines: list[Line]
    counters: Counters

    @property
    def amount_micros(self) -> int:
        """What the lines come to."""
        return sum(line.amount_micros for line in self.lines)
