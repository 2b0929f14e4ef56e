"""`rate(tariff, counters, atoms) -> lines, counters`: pure and total.

Each component's charge is an exact rational function C of the period's energy so far; what is posted is
round(C(after)) − round(C(before)), half away from zero to one micro-unit. Grouping the same atoms in other ways
therefore gives the same totals per component (design I4). Taxes work on the exact base, never on rounded lines.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from ledger.rating.lines import Atom, Counters, Line, Rated
from ledger.rating.tariff import Tariff
from ledger.values.energy import kwh_from_milliwh
from ledger.values.money import decimal_from_micros, divided_half_away


@dataclass(frozen=True, slots=True)
class _Component:
    """A component's charge as an exact multiple of energy: micros per milliwatt-hour = numerator / denominator."""

    component: str
    numerator: int
    denominator: int
    price: str
    unit: str
    tax: bool
    rule: str
    on: tuple[str, ...] = ()

    def charged_micros(self, energy_milliwh: int) -> int:
        return divided_half_away(energy_milliwh * self.numerator, self.denominator)


@dataclass(frozen=True, slots=True)
class CompiledTariff:
    """A tariff version made ready for rating: integers only, nothing left to look up."""

    tariff: Tariff
    version: int
    components: tuple[_Component, ...]


def compile_tariff(tariff: Tariff, *, version: int) -> CompiledTariff:
    """Turn a tariff's charges and taxes into exact multiples of energy, once per version."""
    exact = {charge.component: charge.micros_per_milliwh for charge in tariff.charges}
    components = [
        _component(charge.component, exact[charge.component], str(charge.price_per_kwh), False, "energy used")
        for charge in tariff.charges
    ]
    for tax in tariff.taxes:
        base = sum((exact[name] for name in tax.on), Fraction(0))
        rule = f"{tax.percent}% of {' + '.join(tax.on)}"
        exact_tax = base * Fraction(tax.percent) / 100
        components.append(_component(tax.component, exact_tax, str(tax.percent), True, rule, tax.on))
    return CompiledTariff(tariff=tariff, version=version, components=tuple(components))


def rate(compiled: CompiledTariff, counters: Counters, atoms: Sequence[Atom]) -> Rated:
    """Rate atoms in order, each against the counters of its own billing period.

    Energies are integer milliwatt-hours, amounts integer micro-units. Atoms that no tariff boundary parts are
    summed into one line per component and period.
    """
    lines: list[Line] = []
    for period, energy_milliwh in _by_period(atoms):
        counters = counters.turned_to(period)
        before = counters.energy_milliwh
        after = before + energy_milliwh
        amounts: dict[str, int] = {}
        for component in compiled.components:
            amount_micros = component.charged_micros(after) - component.charged_micros(before)
            amounts[component.component] = amount_micros
            lines.append(
                Line(
                    component=component.component,
                    quantity=_quantity(component, energy_milliwh, amounts),
                    unit=component.unit,
                    price=component.price,
                    amount_micros=amount_micros,
                    tariff=compiled.tariff.code,
                    version=compiled.version,
                    tax=component.tax,
                    rule=component.rule,
                )
            )
        counters = Counters(period, after, counters.others)
    return Rated(lines, counters)


def _quantity(component: _Component, energy_milliwh: int, amounts: Mapping[str, int]) -> str:
    """What a line's price is of: kilowatt-hours, or for a tax the amounts posted on its bases."""
    if component.tax:
        return str(decimal_from_micros(sum(amounts[base] for base in component.on)))
    return str(kwh_from_milliwh(energy_milliwh))


def _by_period(atoms: Sequence[Atom]) -> list[tuple[str, int]]:
    """Sum neighbouring atoms of one billing period: under flat prices nothing else parts them."""
    grouped: list[tuple[str, int]] = []
    for atom in atoms:
        if grouped and grouped[-1][0] == atom.period:
            grouped[-1] = (atom.period, grouped[-1][1] + atom.energy_milliwh)
        else:
            grouped.append((atom.period, atom.energy_milliwh))
    return grouped


def _component(
    name: str, micros_per_milliwh: Fraction, price: str, tax: bool, rule: str, on: tuple[str, ...] = ()
) -> _Component:
    return _Component(
        component=name,
        numerator=micros_per_milliwh.numerator,
        denominator=micros_per_milliwh.denominator,
        price=price,
        unit="%" if tax else "kWh",
        tax=tax,
        rule=rule,
        on=on,
    )
