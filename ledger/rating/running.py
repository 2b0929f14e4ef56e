"""A billing period's rating under way: exact charges that grow with each step, and the lines they lead to.

What is posted on a component is round(C after) − round(C before), half away from zero to one micro-unit; each line
of a component takes its share in the order of the steps, so lines always add up to what is posted (design I4).
"""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm

from ledger.rating.compiled import CompiledTariff, Vector
from ledger.rating.lines import Counters, Line
from ledger.rating.words import Words, measured_words
from ledger.values.money import divided_half_away


class Running:
    """The exact charges of one billing period while atoms are rated; ends in lines and counters."""

    __slots__ = (
        "_amounts",
        "_entries",
        "_opened",
        "_posted",
        "charges",
        "compiled",
        "counters",
        "demands_w",
        "denominator",
        "energy_milliwh",
        "pools",
        "positions",
        "scale",
        "years",
    )

    def __init__(self, compiled: CompiledTariff, counters: Counters) -> None:
        self.compiled = compiled
        self.counters = counters
        self.energy_milliwh = counters.energy_milliwh
        self.positions, self.years, self.demands_w = counters.positions, counters.years, counters.demands_w
        self.pools = counters.pools
        own, kept = compiled.denominator, counters.denominator
        known = counters.charges
        if kept == own or not known:
            self.denominator, self.scale = own, 1
            self.charges = [known.get(name, 0) for name in compiled.names] if known else [0] * len(compiled.names)
        else:
            self.denominator = lcm(own, kept)
            self.scale = self.denominator // own
            grown = self.denominator // kept
            self.charges = [known.get(name, 0) * grown for name in compiled.names]
        self._begin()

    def _begin(self) -> None:
        self._opened = [divided_half_away(charge, self.denominator) for charge in self.charges]
        self._posted = list(self._opened)
        self._entries: dict[Words, list[int]] = {}
        self._amounts: dict[int, int] = {}

    def adopt(self, vector: Vector) -> None:
        """Begin from energy that was rated before exact charges were kept: at a price per unit."""
        self.charges = [share * self.energy_milliwh for share in vector]
        self._begin()

    def add(self, vector: Vector, times: int) -> None:
        """Add a vector, so many times, to the exact charges."""
        times *= self.scale
        charges = self.charges
        for index, share in enumerate(vector):
            if share:
                charges[index] += share * times

    def write(self, words: Iterable[Words], quantity: int) -> None:
        """Enter lines of a step for what their components have grown by; quantities in integer units of the words."""
        denominator, charges, posted, entries = self.denominator, self.charges, self._posted, self._entries
        for word in words:
            index = word.index
            charge = charges[index]
            rounded = (
                (2 * charge + denominator) // (2 * denominator)
                if charge >= 0
                else -((denominator - 2 * charge) // (2 * denominator))
            )
            entry = entries.get(word)
            if entry is None:
                entries[word] = [quantity, rounded - posted[index]]
            else:
                entry[0] += quantity
                entry[1] += rounded - posted[index]
            posted[index] = rounded

    def pay(self, before: list[int]) -> None:
        """Let allowances pay for what their bases have grown by since `before`, as far as they reach."""
        grown = [self._grown(before, thing.on) for _, thing in self.compiled.allowances]
        for (index, thing), bases in zip(self.compiled.allowances, grown, strict=True):
            pool = self.pool(thing.component)
            paid = min(pool, bases)
            if paid > 0:
                self.charge(index, -paid, measured_words(thing, index))
                self.top_up(thing.component, pool - paid)

    def _grown(self, before: list[int], names: tuple[str, ...]) -> Fraction:
        bases = [self.compiled.names.index(name) for name in names]
        return Fraction(sum(self.charges[base] - before[base] for base in bases), self.denominator)

    def total(self, names: tuple[str, ...]) -> Fraction:
        """Return the exact charge of some components in the period so far, in micro-units."""
        return self._grown([0] * len(self.charges), names)

    def pool(self, component: str) -> Fraction:
        """Return what is left of an allowance, in micro-units."""
        return Fraction(*self.pools.get(component, (0, 1)))

    def _spread(self, index: int, amount: Fraction) -> None:
        """Add an exact amount in micro-units on one component, and what follows on the others."""
        exact = [amount * share * self.denominator for share in self.compiled.spread[index]]
        finer = lcm(*(part.denominator for part in exact))
        if finer > 1:
            self.denominator *= finer
            self.scale *= finer
            self.charges = [charge * finer for charge in self.charges]
        self.charges = [charge + int(part * finer) for charge, part in zip(self.charges, exact, strict=True)]

    def top_up(self, component: str, pool: Fraction) -> None:
        """Set what is left of an allowance, in micro-units."""
        self.pools = self.pools | {component: (pool.numerator, pool.denominator)}

    def charge(self, index: int, amount: Fraction, words: Words, quantity: int = 1) -> None:
        """Charge an exact amount in micro-units on one component, with its line."""
        self._spread(index, amount)
        self.write((words,), quantity)

    def closed(self) -> tuple[list[Line], Counters]:
        """Return the lines in the order of the components, and the counters after."""
        compiled = self.compiled
        code, version = compiled.tariff.code, compiled.version
        amounts: dict[int, int] = {}
        rows: list[tuple[int, Line]] = []
        for words, (quantity, amount) in self._entries.items():
            amounts[words.index] = amounts.get(words.index, 0) + amount
            rows.append((words.index, words.line(quantity_text(quantity, words.unit), amount, code, version)))
        for index, bases, words in compiled.percents:
            base = [amounts[base] for base in bases if base in amounts]
            if base:
                amount = divided_half_away(self.charges[index], self.denominator) - self._opened[index]
                amounts[index] = amount
                rows.append((index, words.line(_micros(sum(base)), amount, code, version)))
        if len(rows) > 1:
            rows.sort(key=_by_index)
        return [line for _, line in rows], self._counters()

    def _counters(self) -> Counters:
        before = self.counters
        return Counters(
            before.period,
            self.energy_milliwh,
            before.others,
            self.denominator,
            dict(zip(self.compiled.names, self.charges, strict=True)),
            self.positions,
            self.demands_w,
            before.earlier,
            self.years,
            self.pools,
            self.compiled.identity,
            before.closed,
        )


def _by_index(row: tuple[int, Line]) -> int:
    return row[0]


def quantity_text(quantity: int, unit: str) -> str:
    """Write an integer quantity in its unit: energies have six places, kilowatts three, others none."""
    if unit in ("kWh", "kvarh", "kVAh"):
        return _micros(quantity)
    if unit.startswith("kW"):
        return f"{quantity // 1000}.{quantity % 1000:03d}"
    return str(quantity)


def _micros(number: int) -> str:
    """Write a number of millionths with six places."""
    if number < 0:
        return "-" + _micros(-number)
    return f"{number // 1_000_000}.{number % 1_000_000:06d}"
