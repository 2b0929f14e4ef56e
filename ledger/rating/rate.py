"""`rate(tariff, counters, atoms) -> lines, counters`: pure and total.

Each component's charge is an exact rational number C over the billing period so far, and rating folds atoms into it
one by one; what is posted is round(C after) − round(C before). Grouping the same atoms in other ways therefore gives
the same totals per component (design I4). An atom that straddles a threshold is split there.
"""

from collections.abc import Sequence
from fractions import Fraction

from ledger.rating.climbing import climb
from ledger.rating.compiled import CompiledTariff as CompiledTariff
from ledger.rating.compiled import Steps
from ledger.rating.compiled import compile_tariff as compile_tariff
from ledger.rating.lines import Atom, Counters, Line, Rated
from ledger.rating.plain import rate_plain
from ledger.rating.running import Running
from ledger.rating.words import Words

_NO_STEPS: Steps = ()


def rate(compiled: CompiledTariff, counters: Counters, atoms: Sequence[Atom]) -> Rated:
    """Rate atoms in order, each against the counters of its own billing period.

    Energies are integer milliwatt-hours, amounts integer micro-units. Atoms that no price parts are summed into one
    line per component, block, time-of-use period and billing period.
    """
    if len(atoms) == 1 and compiled.is_plain:
        rated = rate_plain(compiled, counters, atoms[0])
        if rated is not None:
            return rated
    lines: list[Line] = []
    running: Running | None = None
    for atom in atoms:
        if running is None or atom.period != running.counters.period:
            if running is not None:
                more, counters = running.closed()
                lines += more
            running = begun(compiled, counters, atom.period, atom.time_of_use)
        _take(running, atom)
    if running is None:
        return Rated([], counters)
    more, counters = running.closed()
    return Rated(lines + more if lines else more, counters)


def begun(compiled: CompiledTariff, counters: Counters, period: str, time_of_use: str = "") -> Running:
    """Begin, or go on with, a billing period under a tariff version."""
    counters = counters.turned_to(period)
    if compiled.ladders and counters.tariff != compiled.identity:
        counters = taken_over(compiled, counters)
    running = Running(compiled, counters)
    if running.energy_milliwh and not running.counters.charges:
        steps = tuple((0, ladder.thresholds_milliwh) for ladder in compiled.ladders)
        running.adopt(compiled.cell(time_of_use, "kWh", steps).vector)
    return running


def taken_over(compiled: CompiledTariff, counters: Counters) -> Counters:
    """Return the counters as a version takes them over from another: ladders go on, or begin anew."""
    positions, years = dict(counters.positions), counters.years
    is_anew = compiled.tariff.proration.on_change != "carry-over" and counters.tariff
    for ladder in compiled.ladders:
        if is_anew:
            positions.pop(ladder.component, None)
            years = {key: value for key, value in years.items() if not key.startswith(f"{ladder.component}@")}
        elif ladder.window != "year" and not ladder.periods and counters.energy_milliwh:
            positions.setdefault(ladder.component, counters.energy_milliwh)
    return _with(counters, positions=positions, years=years)


def _with(counters: Counters, *, positions: dict[str, int], years: dict[str, int]) -> Counters:
    return Counters(
        counters.period,
        counters.energy_milliwh,
        counters.others,
        counters.denominator,
        counters.charges,
        positions,
        counters.demands_w,
        counters.earlier,
        years,
        counters.pools,
        closed=counters.closed,
    )


def _take(running: Running, atom: Atom) -> None:
    """Fold one atom in."""
    compiled = running.compiled
    before = list(running.charges) if compiled.allowances else []
    energy = atom.energy_milliwh
    if compiled.ladders:
        climb(running, atom)
    elif energy or not (atom.reactive_millivarh or atom.apparent_millivah or atom.demand_w is not None):
        cell = compiled.cell(atom.time_of_use, "kWh", _NO_STEPS)
        running.add(cell.vector, energy)
        running.write(cell.words, energy)
    running.energy_milliwh += energy
    if atom.reactive_millivarh:
        cell = compiled.cell(atom.time_of_use, "kvarh", _NO_STEPS)
        running.add(cell.vector, atom.reactive_millivarh)
        running.write(cell.words, atom.reactive_millivarh)
    if atom.apparent_millivah:
        cell = compiled.cell(atom.time_of_use, "kVAh", _NO_STEPS)
        running.add(cell.vector, atom.apparent_millivah)
        running.write(cell.words, atom.apparent_millivah)
    if atom.demand_w is not None:
        _raise_demand(running, atom, atom.demand_w)
    if before:
        running.pay(before)


def _raise_demand(running: Running, atom: Atom, demand_w: int) -> None:
    """Debit the increment of a new highest demand of the period."""
    for index, thing in running.compiled.demands:
        highest = running.demands_w.get(thing.component, 0)
        if demand_w > highest and (not thing.periods or atom.time_of_use in thing.periods):
            running.demands_w = running.demands_w | {thing.component: demand_w}
            rule = running.compiled.with_rule(index, "highest demand of the month, increment")
            price = running.compiled.price(index, thing.price_per_kw)
            vector = running.compiled.vector(index, Fraction(thing.price_per_kw) * 1000)
            running.add(vector, demand_w - highest)
            running.write((Words(thing, index, unit="kW", price=price, rule=rule),), demand_w - highest)
