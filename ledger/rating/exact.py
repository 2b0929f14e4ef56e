"""The exact arithmetic of a tariff: what one micro-unit on a charge adds to every component, and the denominator.

Levies in per cent, rebates and taxes are linear in the exact charges C of what they are on, so each primary
component (one with a price of its own) spreads by constant rational coefficients. With prices that include tax, a
price p that taxes of together t per cent are on is p / (1 + t/100) net; the taxes come on top of that again.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import lcm

from ledger.rating.components import Allowance, Component, FreeUnits, Levy, Minimum, Rebate, Tax
from ledger.rating.tariff import Tariff

# Allowances and minimums measure sums of other components, which themselves are fractions: each such sum needs the
# spread's denominator once more, and a minimum may measure an allowance that measures a levy.
_MEASURING = 3

Spread = tuple[Fraction, ...]


def percent_of(thing: Component) -> Fraction | None:
    """Return the signed share of its bases that a component comes to; None where it has a price of its own."""
    if isinstance(thing, Levy):
        return None if thing.percent is None else Fraction(thing.percent) / 100
    if isinstance(thing, Rebate):
        return -Fraction(thing.percent) / 100
    return Fraction(thing.percent) / 100 if isinstance(thing, Tax) else None


def spreads(components: Sequence[Component]) -> tuple[Spread, ...]:
    """Return, for each component, what one micro-unit posted on it adds to every component."""
    rows = _rows(components)
    return tuple(tuple(rows[thing.component][at] for thing in components) for at in range(len(components)))


def tax_rates(tariff: Tariff) -> tuple[Fraction, ...]:
    """Return the taxes on each component directly (and on taxes on it), as a share of its net price."""
    components = tariff.components
    taxes = {tax.component: tax for tax in tariff.taxes}
    rates: list[Fraction] = []
    for thing in components:
        on = {thing.component: Fraction(1)}
        rates.append(sum((_tax_share(taxes, name, on) for name in taxes), Fraction(0)))
    return tuple(rates)


def _tax_share(taxes: Mapping[str, Tax], name: str, shares: dict[str, Fraction]) -> Fraction:
    if name not in taxes:
        return shares.get(name, Fraction(0))
    if name not in shares:
        base = sum((_tax_share(taxes, base, shares) for base in taxes[name].on), Fraction(0))
        shares[name] = base * Fraction(taxes[name].percent) / 100
    return shares[name]


def _rows(components: Sequence[Component]) -> dict[str, list[Fraction]]:
    """Return each component as a linear combination of the primary ones."""
    by_name = {thing.component: (number, thing) for number, thing in enumerate(components)}
    rows: dict[str, list[Fraction]] = {}

    def row(name: str) -> list[Fraction]:
        if name not in rows:
            number, thing = by_name[name]
            share = percent_of(thing)
            if share is None:
                rows[name] = [Fraction(int(number == at)) for at in range(len(components))]
            else:
                bases = [row(base) for base in getattr(thing, "on", ())]
                rows[name] = [share * sum(column, Fraction(0)) for column in zip(*bases, strict=True)]
        return rows[name]

    for name in by_name:
        row(name)
    return rows


def denominator(amounts: Sequence[Fraction], spread: Sequence[Spread], components: Sequence[Component]) -> int:
    """Return a denominator over which every amount and all that follows from it is whole."""
    of_prices = lcm(*(amount.denominator for amount in amounts))
    of_spreads = lcm(*(share.denominator for row in spread for share in row))
    is_measuring = any(isinstance(thing, Allowance | Minimum | FreeUnits) for thing in components)
    return int(of_prices * of_spreads ** (_MEASURING if is_measuring else 1))
