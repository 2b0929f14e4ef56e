"""A tariff version made ready for rating: integers only, everything looked up once and remembered.

Every step of usage falls in a *cell*: a time-of-use period and a block on each ladder. A cell is a vector of what one
milliwatt-hour adds to the exact charge of every component, levies, rebates and taxes included, as integers over the
version's common denominator.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from ledger.rating.components import (
    ALWAYS,
    Allowance,
    BlockCharge,
    CapacityCharge,
    Component,
    DailyCharge,
    DemandCharge,
    FlatCharge,
    FreeUnits,
    Levy,
    Minimum,
    ProrationRule,
    TimeOfUseCharge,
    Unit,
)
from ledger.rating.days import LocalDays
from ledger.rating.exact import Spread, denominator, percent_of, spreads, tax_rates
from ledger.rating.ladder import WHOLE, Ladder, Part, ladder_of
from ledger.rating.tariff import Tariff
from ledger.rating.words import Words, block_rule, kwh, percent_words, plain
from ledger.values.errors import InvalidValue

Vector = tuple[int, ...]
# On each ladder, the block that energy falls in and the thresholds of its window.
Steps = tuple[tuple[int, tuple[int, ...]], ...]
_MICROS = 1_000_000


class Cell:
    """What a unit of energy in a cell adds to every component, and what the lines of it say."""

    __slots__ = ("vector", "words")

    def __init__(self, vector: Vector, words: tuple[Words, ...]) -> None:
        self.vector = vector
        self.words = words


class PlanRow(NamedTuple):
    """A line of one atom in a cell, all but quantity and amount: `bases` are a percentage's, by component.

    `told` is the end of the line: tariff, version, and everything after them.
    """

    component: str
    bases: tuple[str, ...] | None
    unit: str
    price: str
    told: tuple[str, int, bool, str, str, str, bool, bool]


class Plan(NamedTuple):
    """The lines of one atom in a cell, in an order in which percentages follow their bases."""

    vector: Vector
    rows: tuple[PlanRow, ...]
    is_in_order: bool


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTariff:
    """A tariff version for one account class, over one denominator.

    `identity` is the version that ladders are counted by, empty where there is none to count on. `percents` are the
    percentages in an order in which each follows its bases: number, numbers of bases, words. `needs` are the units
    priced beside kWh: kvarh, kVAh, and kW of demand.
    """

    tariff: Tariff
    version: int
    identity: str
    account_class: str
    components: tuple[Component, ...]
    names: tuple[str, ...]
    denominator: int
    multipliers: tuple[Fraction, ...]
    net: tuple[Fraction, ...]
    spread: tuple[Spread, ...]
    ladders: tuple[Ladder, ...]
    percents: tuple[tuple[int, tuple[int, ...], Words], ...]
    allowances: tuple[tuple[int, Allowance], ...]
    minimums: tuple[tuple[int, Minimum], ...]
    demands: tuple[tuple[int, DemandCharge], ...]
    days: LocalDays
    needs: frozenset[str] = frozenset()
    part: Part = WHOLE
    _plans: dict[tuple[str, Steps], Plan] = field(default_factory=dict)
    _cells: dict[tuple[object, ...], Cell] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Tell whether an atom that stays in its blocks is charged by its cell alone: no allowance pays."""
        return not self.allowances

    def cell(self, time_of_use: str, unit: Unit, steps: Steps) -> Cell:
        """Return the cell of a period, a unit of energy, and on each ladder its block and thresholds."""
        key = (time_of_use, unit, steps)
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = self._cell(time_of_use, unit, steps)
        return cell

    def plan(self, time_of_use: str, steps: Steps) -> Plan:
        """Return what the lines of one atom in a period are, and of a block on each ladder."""
        plan = self._plans.get((time_of_use, steps))
        if plan is None:
            cell = self.cell(time_of_use, "kWh", steps)
            rows: list[tuple[Words, tuple[int, ...] | None]] = [(words, None) for words in cell.words]
            shown = {words.index for words in cell.words}
            for index, bases, words in self.percents:
                if not shown.isdisjoint(bases):
                    shown.add(index)
                    rows.append((words, bases))
            order = [words.index for words, _ in rows]
            told = tuple(self._plan_row(words, bases) for words, bases in rows)
            plan = self._plans[time_of_use, steps] = Plan(cell.vector, told, order == sorted(order))
        return plan

    def _plan_row(self, words: Words, bases: tuple[int, ...] | None) -> PlanRow:
        line = words.line("", 0, self.tariff.code, self.version)
        told = (
            line.tariff,
            line.version,
            line.tax,
            line.rule,
            line.block,
            line.time_of_use,
            line.allowance,
            line.at_payment,
        )
        named = None if bases is None else tuple(self.names[number] for number in bases)
        return PlanRow(line.component, named, line.unit, line.price, told)

    def vector(self, index: int, amount: Fraction) -> Vector:
        """Return what an amount in micro-units (net, times its class) on one component adds to every one."""
        exact = amount * self.multipliers[index] * self.net[index] * self.denominator
        return tuple(_whole(exact * share) for share in self.spread[index])

    def price(self, index: int, price: Decimal) -> str:
        """Return a price in words, times the account class's multiplier."""
        multiplier = self.multipliers[index]
        if multiplier == 1:
            return plain(price)
        exact = Fraction(price) * multiplier
        return plain(Decimal(exact.numerator) / Decimal(exact.denominator))

    def with_rule(self, index: int, rule: str) -> str:
        """Return a rule in words that says what was done to the price."""
        if self.multipliers[index] != 1:
            rule += f", price for class {self.account_class}"
        return rule + (", tax taken out of the price" if self.net[index] != 1 else "")

    def for_part(self, part: Part) -> "CompiledTariff":
        """Return the same version for an occupancy (or a version's life) of only part of a window."""
        if part == self.part:
            return self
        ladders = tuple(replace(ladder, part=part, _scaled={}) for ladder in self.ladders)
        return replace(self, part=part, ladders=ladders, _plans={}, _cells={})

    def _cell(self, time_of_use: str, unit: Unit, steps: Steps) -> Cell:
        at = {ladder.index: step for ladder, step in zip(self.ladders, steps, strict=False)}
        prices = {
            index: price
            for index, thing in enumerate(self.components)
            if (price := _energy_price(self.components, thing, time_of_use, unit, at.get(index, (0, ()))[0]))
            is not None
        }
        words = [self._words(index, price, time_of_use, unit, at.get(index)) for index, price in prices.items()]
        total = [0] * len(self.names)
        vectors = {index: self.vector(index, Fraction(price)) for index, price in prices.items()}
        for index, thing in enumerate(self.components):
            if isinstance(thing, FreeUnits) and unit == "kWh" and at[index][0] == 0:
                vectors[index] = self._freed(index, thing, vectors)
                words.append(self._free_words(index, thing, at[index][1]))
        for vector in vectors.values():
            total = [one + more for one, more in zip(total, vector, strict=True)]
        return Cell(tuple(total), tuple(sorted(words, key=lambda word: word.index)))

    def _freed(self, index: int, thing: FreeUnits, vectors: dict[int, Vector]) -> Vector:
        """Return the vector that takes the prices of free energy back."""
        numbers = [self.names.index(name) for name in thing.on]
        exact = -sum(vectors[number][number] for number in numbers if number in vectors)
        return tuple(_whole(exact * share) for share in self.spread[index])

    def _words(
        self, index: int, price: Decimal, time_of_use: str, unit: Unit, step: tuple[int, tuple[int, ...]] | None
    ) -> Words:
        thing = self.components[index]
        rule = {"kWh": "energy used", "kvarh": "reactive energy", "kVAh": "apparent energy"}[unit]
        block = ""
        if isinstance(thing, BlockCharge) and step is not None:
            rule, block = block_rule(step[1], step[0], thing.window), str(step[0] + 1)
        by_period = isinstance(thing, TimeOfUseCharge) or bool(getattr(thing, "periods", None))
        if isinstance(thing, BlockCharge) and ALWAYS not in thing.blocks[0].prices:
            by_period = True
        period = time_of_use if by_period else ""
        rule += f" in {period}" if period else ""
        return Words(
            thing,
            index,
            unit=unit,
            price=self.price(index, price),
            rule=self.with_rule(index, rule),
            block=block,
            time_of_use=period,
        )

    def _free_words(self, index: int, thing: FreeUnits, thresholds: tuple[int, ...]) -> Words:
        rule = f"first {kwh(thresholds[0])} kWh of the month are free of {' + '.join(thing.on)}"
        return Words(thing, index, unit="kWh", price="free", rule=rule)


def _energy_price(
    components: Sequence[Component], thing: Component, time_of_use: str, unit: Unit, block: int
) -> Decimal | None:
    """Return a component's price per unit of energy in a cell; None where it has none there."""
    match thing:
        case FlatCharge():
            is_for = thing.unit == unit and (not thing.periods or time_of_use in thing.periods)
            return thing.price_per_kwh if is_for else None
        case TimeOfUseCharge():
            return thing.prices[time_of_use] if thing.unit == unit else None
        case BlockCharge() if thing.mode == "cumulative" and unit == "kWh":
            if thing.periods and time_of_use not in thing.periods:
                return None
            prices = thing.blocks[block].prices
            return prices[ALWAYS] if ALWAYS in prices else prices[time_of_use]
        case Levy() if thing.price_per_kwh is not None and unit == "kWh":
            bases = [base for base in components if base.component in thing.on]
            is_for = not bases or any(
                _energy_price(components, base, time_of_use, unit, 0) is not None for base in bases
            )
            return thing.price_per_kwh if is_for else None
    return None


def compile_tariff(tariff: Tariff, *, version: int, account_class: str = "", part: Part = WHOLE) -> CompiledTariff:
    """Turn a tariff into exact integers, once per version, account class and part of a window.

    Raises InvalidValue for an account class that the tariff does not know.
    """
    components = tariff.components
    multipliers = _multipliers(tariff, account_class)
    rates = tax_rates(tariff) if tariff.is_tax_inclusive else (Fraction(0),) * len(components)
    net = tuple(
        1 / (1 + rate) if percent_of(thing) is None and not isinstance(thing, FreeUnits | Allowance) else Fraction(1)
        for thing, rate in zip(components, rates, strict=True)
    )
    spread = spreads(components)
    amounts = [
        amount * multipliers[index] * net[index]
        for index, thing in enumerate(components)
        for amount in _amounts(thing)
    ]
    numbers = {thing.component: index for index, thing in enumerate(components)}
    return CompiledTariff(
        tariff=tariff,
        version=version,
        identity=f"{tariff.code}/{version}" if tariff.is_counting else "",
        account_class=account_class,
        components=components,
        names=tuple(numbers),
        denominator=denominator(amounts, spread, components),
        multipliers=multipliers,
        net=net,
        spread=spread,
        ladders=tuple(
            ladder_of(index, thing, _rule(tariff, thing), part)
            for index, thing in enumerate(components)
            if isinstance(thing, BlockCharge | FreeUnits)
        ),
        percents=_percents(components, numbers, tax_point=tariff.tax_point),
        allowances=tuple((index, thing) for index, thing in enumerate(components) if isinstance(thing, Allowance)),
        minimums=tuple((index, thing) for index, thing in enumerate(components) if isinstance(thing, Minimum)),
        demands=tuple((index, thing) for index, thing in enumerate(components) if isinstance(thing, DemandCharge)),
        days=LocalDays(tariff.time_zone, tariff.calendar),
        needs=_needs(components),
        part=part,
    )


def _needs(components: Sequence[Component]) -> frozenset[str]:
    units = {thing.unit for thing in components if isinstance(thing, FlatCharge | TimeOfUseCharge)} - {"kWh"}
    return frozenset(units | {"kW" for thing in components if isinstance(thing, DemandCharge)})


def _rule(tariff: Tariff, thing: BlockCharge | FreeUnits) -> ProrationRule:
    proration = tariff.proration
    return proration.free_units if isinstance(thing, FreeUnits) else proration.blocks


def _multipliers(tariff: Tariff, account_class: str) -> tuple[Fraction, ...]:
    charges = {charge.component for charge in tariff.charges}
    if not account_class:
        return (Fraction(1),) * len(tariff.components)
    row = next((row for row in tariff.classes if row.name == account_class), None)
    if row is None:
        known = sorted(row.name for row in tariff.classes)
        raise InvalidValue(f"class {account_class!r} is not in tariff {tariff.code!r}; known: {known}")
    on = set(row.on) or charges
    return tuple(Fraction(row.multiplier) if thing.component in on else Fraction(1) for thing in tariff.components)


def _amounts(thing: Component) -> list[Fraction]:  # noqa: PLR0911 - one for each kind
    """Return all prices of a component in micro-units per integer unit of what it is of."""
    match thing:
        case FlatCharge():
            return [Fraction(thing.price_per_kwh)]
        case TimeOfUseCharge():
            return [Fraction(price) for price in thing.prices.values()]
        case BlockCharge():
            prices = [Fraction(price) for block in thing.blocks for price in block.prices.values()]
            return prices + [Fraction(block.entry_fee) * _MICROS for block in thing.blocks]
        case DailyCharge():
            return [Fraction(thing.price_per_day) * _MICROS]
        case CapacityCharge():
            return [per_watt_day(thing)]
        case DemandCharge():
            return [Fraction(thing.price_per_kw) * _MICROS / 1000]
        case Levy():
            return [] if thing.price_per_kwh is None else [Fraction(thing.price_per_kwh)]
        case Allowance():
            return [Fraction(thing.amount_per_day) * _MICROS, Fraction(thing.max_carried) * _MICROS]
        case Minimum():
            return [Fraction(thing.amount) * _MICROS]
    return []


def per_watt_day(charge: CapacityCharge) -> Fraction:
    """Return micro-units per contracted watt and local day: monthly rate × 12 / 365 (design §4, published case)."""
    return Fraction(charge.price_per_kw_month) * _MICROS * 12 / 365 / 1000


def _percents(
    components: Sequence[Component], numbers: dict[str, int], *, tax_point: str
) -> tuple[tuple[int, tuple[int, ...], Words], ...]:
    """Return the percentages, each after its bases."""
    done: dict[int, tuple[int, tuple[int, ...], Words]] = {}

    def visit(index: int) -> None:
        thing = components[index]
        if index in done or percent_of(thing) is None:
            return
        bases = tuple(numbers[name] for name in getattr(thing, "on", ()))
        for base in bases:
            visit(base)
        done[index] = (index, bases, percent_words(thing, index, tax_point=tax_point))

    for index in range(len(components)):
        visit(index)
    return tuple(done.values())


def _whole(exact: Fraction) -> int:
    if exact.denominator != 1:
        raise AssertionError(f"{exact} is not whole over the tariff's denominator")
    return exact.numerator
