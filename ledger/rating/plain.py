"""The short way that nearly every reading goes: one atom in a cell that no ladder, demand or allowance touches.

It gives what `rate` gives, line for line (a test holds the two together); it only does without the bookkeeping that
several steps need.
"""

from ledger.rating.compiled import CompiledTariff, Plan
from ledger.rating.lines import Atom, Counters, Line, Rated


def rate_plain(compiled: CompiledTariff, counters: Counters, atom: Atom) -> Rated | None:
    """Rate one atom that goes on with a period under the same version; None where it takes the long way."""
    charges = counters.charges
    denominator = counters.denominator
    if (
        counters.period != atom.period
        or denominator != compiled.denominator
        or atom.reactive_millivarh
        or atom.apparent_millivah
        or atom.demand_w is not None
        or tuple(charges) != compiled.names
    ):
        return None
    plan = compiled.plan(atom.time_of_use)
    energy = atom.energy_milliwh
    grown = {
        name: charge + share * energy for (name, charge), share in zip(charges.items(), plan.vector, strict=True)
    }
    lines = _lines(compiled, plan, energy, charges, grown)
    if lines is None:
        return None
    after = Counters(
        counters.period,
        counters.energy_milliwh + energy,
        counters.others,
        denominator,
        grown,
        counters.positions,
        counters.demands_w,
        counters.earlier,
        counters.years,
        counters.pools,
    )
    return Rated(lines, after)


def _lines(
    compiled: CompiledTariff, plan: Plan, energy_milliwh: int, charges: dict[str, int], grown: dict[str, int]
) -> list[Line] | None:
    """Return the lines; None where a charge is negative, which rounds the other way."""
    code, version, denominator = compiled.tariff.code, compiled.version, compiled.denominator
    double = 2 * denominator
    used = f"{energy_milliwh // 1_000_000}.{energy_milliwh % 1_000_000:06d}"
    amounts: dict[int, int] = {}
    lines: list[Line] = []
    for word, bases in plan.rows:
        name = word.component
        old, new = charges[name], grown[name]
        if old < 0 or new < 0:
            return None
        index = word.index
        amount = amounts[index] = (2 * new + denominator) // double - (2 * old + denominator) // double
        quantity = used
        if bases is not None:
            base = 0
            for number in bases:
                base += amounts.get(number, 0)
            if base < 0:
                return None
            quantity = f"{base // 1_000_000}.{base % 1_000_000:06d}"
        lines.append(
            Line(
                name,
                quantity,
                word.unit,
                word.price,
                amount,
                code,
                version,
                word.tax,
                word.rule,
                word.block,
                word.time_of_use,
            )
        )
    if not plan.is_in_order:
        lines.sort(key=lambda line: compiled.names.index(line.component))
    return lines
