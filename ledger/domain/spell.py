"""Spells: a meter under one multiplier, from an instant to another. Nothing is compared across two of them.

A multiplier applies to the cumulative register, which is then floored, never to a difference: so no energy is lost
or made, however often a register is read (design §3, amounts).
"""

from datetime import datetime
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

import msgspec

from ledger.wire import RegisterReading

if TYPE_CHECKING:
    from ledger.domain.supply import MeterInstalled

ONE = Fraction(1)


class Spell(msgspec.Struct, frozen=True):
    """A meter as its registers count for the supply point, in [starts, ends); registers are multiplied ones.

    `meter` has its physical limit, modulus and resolution multiplied; the limit is the supply's own at most, so that
    a mistyped multiplier has its readings held, not billed. `closing_milliwh` is None while it goes on, or where
    nobody read it at the end.
    """

    meter: "MeterInstalled"
    multiplier: Fraction
    starts: datetime
    opening_milliwh: int
    ends: datetime | None = None
    closing_milliwh: int | None = None

    def scaled(self, own_milliwh: int) -> int:
        """Return what the meter's own register counts for the supply point."""
        return own_milliwh if self.multiplier == ONE else floor(self.multiplier * own_milliwh)

    def reading(self, reading: RegisterReading) -> RegisterReading:
        """Return a reading of the meter with all its registers multiplied."""
        # Nearly every meter: `begun` gives it this very one, and fractions are slow to compare.
        if self.multiplier is ONE:
            return reading
        periods = reading.periods
        return msgspec.structs.replace(
            reading,
            import_milliwh=self.scaled(reading.import_milliwh),
            periods=None if periods is None else {name: self.scaled(own) for name, own in periods.items()},
            demand_w=None if reading.demand_w is None else self.scaled(reading.demand_w),
            reactive_millivarh=self._scaled(reading.reactive_millivarh),
            apparent_millivah=self._scaled(reading.apparent_millivah),
        )

    def _scaled(self, own: int | None) -> int | None:
        return None if own is None else self.scaled(own)

    def holds(self, instant: datetime) -> bool:
        """Tell whether the spell covers an instant, its very end included: the closing register is read then."""
        return self.starts <= instant and (self.ends is None or instant <= self.ends)


def begun(meter: "MeterInstalled", *, starts: datetime, own_milliwh: int) -> Spell:
    """Begin a spell of a meter, its own register standing at `own_milliwh`."""
    multiplier = Fraction(meter.multiplier)
    max_power_w = ceil(meter.max_power_w * multiplier)
    if meter.limit_w:
        max_power_w = min(max_power_w, meter.limit_w)
    if multiplier == ONE:
        limited = meter if max_power_w == meter.max_power_w else _limited(meter, max_power_w)
        return Spell(limited, ONE, starts, own_milliwh)
    scaled = msgspec.structs.replace(
        meter,
        max_power_w=max_power_w,
        modulus_milliwh=floor(meter.modulus_milliwh * multiplier),
        resolution_milliwh=ceil(meter.resolution_milliwh * multiplier),
        opening_milliwh=floor(meter.opening_milliwh * multiplier),
    )
    return Spell(scaled, multiplier, starts, floor(multiplier * own_milliwh))


def _limited(meter: "MeterInstalled", max_power_w: int) -> "MeterInstalled":
    return msgspec.structs.replace(meter, max_power_w=max_power_w)
