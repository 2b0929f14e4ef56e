"""Ladders: the thresholds at which energy changes its price, in the window that a local day lies in."""

from bisect import bisect_right
from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction

from ledger.rating.components import BlockCharge, FreeUnits, MonthDay, ProrationRule, Window


@dataclass(frozen=True, slots=True)
class Part:
    """The local days that an occupancy or a tariff version is in force, half-open; None where it has no end."""

    first: date | None = None
    until: date | None = None


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where a component's blocks, or its free units, end: milliwatt-hours, ascending, in a whole window.

    `index` is the component's number; the energy of `periods` counts (none: all). With `window` "day" the
    thresholds are per day and multiply with the days of the billing period.
    """

    index: int
    component: str
    thresholds_milliwh: tuple[int, ...]
    window: Window
    anchor: MonthDay
    periods: tuple[str, ...]
    is_free: bool
    is_volume: bool
    proration: ProrationRule
    part: Part = WHOLE
    _scaled: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def counts(self, time_of_use: str) -> bool:
        """Tell whether energy of a time-of-use period climbs this ladder."""
        return not self.periods or time_of_use in self.periods

    def year_key(self, day: date) -> str:
        """Name the annual window that a local day lies in, by component and first day."""
        return f"{self.component}@{self._year(day)[0].isoformat()}"

    def thresholds(self, period: str, day: date | None) -> tuple[int, ...]:
        """Return the thresholds of the window of a billing period, or of a day for annual ones."""
        key = period if day is None else self._year(day)[0].isoformat()
        scaled = self._scaled.get(key)
        if scaled is None:
            scaled = self._scaled[key] = self._scale(period, day)
        return scaled

    def _scale(self, period: str, day: date | None) -> tuple[int, ...]:
        first, last = self._year(day) if day is not None else month_of(period)
        share = share_of(self.proration, self.part, first, last)
        days = (last - first).days if self.window == "day" else 1
        return tuple(int(threshold * days * share) for threshold in self.thresholds_milliwh)

    def _year(self, day: date) -> tuple[date, date]:
        month, first = self.anchor
        year = day.year if (day.month, day.day) >= self.anchor else day.year - 1
        return date(year, month, first), date(year + 1, month, first)


def block_of(thresholds: tuple[int, ...], position_milliwh: int) -> int:
    """Return the number (from 0) of the block in which the next milliwatt-hour falls."""
    return bisect_right(thresholds, position_milliwh)


def month_of(period: str) -> tuple[date, date]:
    """Return the first local day of a billing period, and of the next one."""
    year, month = int(period[:4]), int(period[5:7])
    return date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)


def days_in(period: str) -> int:
    """Return the days of a billing period."""
    return monthrange(int(period[:4]), int(period[5:7]))[1]


def share_of(rule: ProrationRule, part: Part, first: date, last: date) -> Fraction:
    """Return the share of the window [first, last) that a part covers, in days or in whole (begun) months."""
    begin, end = max(first, part.first or first), min(last, part.until or last)
    if rule == "none" or (begin, end) == (first, last) or begin >= end:
        return Fraction(1)
    if rule == "days":
        return Fraction((end - begin).days, (last - first).days)
    return Fraction(_months(begin, end, first), _months(first, last, first))


def _months(begin: date, end: date, anchor: date) -> int:
    """Count the months, each beginning on the anchor's day, that [begin, end) touches."""

    def number(day: date) -> int:
        return day.year * 12 + day.month - (1 if day.day < anchor.day else 0)

    return number(date.fromordinal(end.toordinal() - 1)) - number(begin) + 1


def ladder_of(index: int, thing: BlockCharge | FreeUnits, proration: ProrationRule, part: Part) -> Ladder:
    """Return a component's ladder."""
    is_free = isinstance(thing, FreeUnits)
    ends = (thing.milliwh,) if isinstance(thing, FreeUnits) else _ends(thing)
    return Ladder(
        index=index,
        component=thing.component,
        thresholds_milliwh=ends,
        window=thing.window,
        anchor=(1, 1) if isinstance(thing, FreeUnits) else thing.anchor,
        periods=() if isinstance(thing, FreeUnits) else thing.periods,
        is_free=is_free,
        is_volume=isinstance(thing, BlockCharge) and thing.mode == "volume",
        proration=proration,
        part=part,
    )


def _ends(charge: BlockCharge) -> tuple[int, ...]:
    return tuple(block.up_to_milliwh for block in charge.blocks if block.up_to_milliwh is not None)
