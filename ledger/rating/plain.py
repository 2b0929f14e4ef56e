"""The short way that nearly every reading goes: one atom that stays in its block on every ladder.

It gives what `rate` gives, line for line (a test holds the two together); it only does without the bookkeeping that
several steps need.
"""

from bisect import bisect_right

import msgspec

from ledger.rating.compiled import CompiledTariff, Plan, Steps
from ledger.rating.lines import Atom, Counters, Line, Rated


class _Climbed(msgspec.Struct, frozen=True, gc=False):
    """Where an atom lies on each ladder, and how far up each it leaves the period."""

    steps: Steps
    positions: dict[str, int]
    years: dict[str, int]


def rate_plain(compiled: CompiledTariff, counters: Counters, atom: Atom) -> Rated | None:
    """Rate one atom that goes on with a period under the same version; None where it takes the long way."""
    charges = counters.charges
    denominator = counters.denominator
    if (
        counters.period != atom.period
        or denominator != compiled.denominator
        or counters.tariff != compiled.identity
        or atom.reactive_millivarh
        or atom.apparent_millivah
        or atom.demand_w is not None
        or tuple(charges) != compiled.names
    ):
        return None
    climbed = _climbed(compiled, counters, atom) if compiled.ladders else _UNCLIMBED
    if climbed is None:
        return None
    plan = compiled.plan(atom.time_of_use, climbed.steps)
    energy = atom.energy_milliwh
    grown = {}
    for (name, charge), share in zip(charges.items(), plan.vector, strict=True):
        grown[name] = charge + share * energy
    lines = _lines(compiled, plan, energy, charges, grown)
    if lines is None:
        return None
    after = Counters(
        counters.period,
        counters.energy_milliwh + energy,
        counters.others,
        denominator,
        grown,
        climbed.positions if compiled.ladders else counters.positions,
        counters.demands_w,
        counters.earlier,
        climbed.years if compiled.ladders else counters.years,
        counters.pools,
        compiled.identity,
        counters.closed,
    )
    return Rated(lines, after)


_UNCLIMBED = _Climbed((), {}, {})


def _climbed(compiled: CompiledTariff, counters: Counters, atom: Atom) -> _Climbed | None:
    """Return where one block on each ladder holds all of an atom; None where it does not, or where one begins."""
    energy = atom.energy_milliwh
    positions, years = counters.positions, counters.years
    steps: list[tuple[int, tuple[int, ...]]] = []
    for ladder in compiled.ladders:
        if ladder.window == "year":
            day = atom.start.astimezone(compiled.days.zone).date()
            key, thresholds, known = ladder.year_key(day), ladder.thresholds(atom.period, day), years
        else:
            key, thresholds, known = ladder.component, ladder.thresholds(atom.period, None), positions
        position = known.get(key)
        if position is None or ladder.is_volume:
            return None
        block = bisect_right(thresholds, position)
        if not ladder.periods or atom.time_of_use in ladder.periods:
            is_beginning = block and position == thresholds[block - 1]
            if is_beginning or (block < len(thresholds) and thresholds[block] - position < energy):
                return None
            if known is years:
                years = years | {key: position + energy}
            else:
                positions = positions | {key: position + energy}
        steps.append((block, thresholds))
    return _Climbed(tuple(steps), positions, years)


def _lines(
    compiled: CompiledTariff, plan: Plan, energy_milliwh: int, charges: dict[str, int], grown: dict[str, int]
) -> list[Line] | None:
    """Return the lines; None where a charge is negative, which rounds the other way."""
    denominator = compiled.denominator
    double = 2 * denominator
    used = f"{energy_milliwh // 1_000_000}.{energy_milliwh % 1_000_000:06d}"
    amounts: dict[str, int] = {}
    lines: list[Line] = []
    for name, bases, unit, price, told in plan.rows:
        old, new = charges[name], grown[name]
        if old < 0 or new < 0:
            return None
        amount = amounts[name] = (2 * new + denominator) // double - (2 * old + denominator) // double
        quantity = used
        if bases is not None:
            base = 0
            for one in bases:
                # A base that this atom has no line of grows by nothing.
                if one in amounts:
                    base += amounts[one]
            if base < 0:
                return None
            quantity = f"{base // 1_000_000}.{base % 1_000_000:06d}"
        lines.append(Line(name, quantity, unit, price, amount, *told))
    if not plan.is_in_order:
        lines.sort(key=lambda line: compiled.names.index(line.component))
    return lines
