"""What a supply point was billed, as it stands now: its debits in order, each with the figure in force (pure).

Rating the debits again from a known point, in the order in which they were billed, gives the counters that are kept
(design I6). A correction replaces a figure, and the rest follows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from ledger.domain.event import Fact
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.snapshot import Price
from ledger.rating.lines import FRESH, Atom, Counters
from ledger.rating.rate import CompiledTariff, rate
from ledger.rating.segment import Rule, segment_by
from ledger.values.errors import LedgerError


class Underivable(LedgerError):
    """What was billed does not come out again: the prices of that time are not those of today."""


class Item(NamedTuple):
    """What amounts are summed by when debits are rated again."""

    account: str
    period: str
    component: str
    tariff: str
    version: int
    tax: bool
    allowance: bool
    at_payment: bool = False


class Figure(NamedTuple):
    """An energy as it was given for a span, and of what quality."""

    energy_milliwh: int
    quality: str


class Step(NamedTuple):
    """Atoms of one billing period that one tariff version prices."""

    tariff: CompiledTariff
    period: str
    atoms: list[Atom]


@dataclass(slots=True)
class BilledSpan:
    """A debit as it stands: where it is in the stream, its figures (the newest holds), and what it comes to.

    `amounts` and `after`, the counters after it, are worked out when they are asked for.
    """

    version: int
    reading: UUID
    account: str
    start: datetime
    end: datetime
    figures: list[Figure]
    amounts: Mapping[Item, int] = field(default_factory=dict)
    after: Counters = FRESH
    _steps: tuple[Sequence[Price], Figure, list[Step]] | None = None

    def steps(self, prices: Sequence[Price]) -> list[Step]:
        """Return the atoms to be rated, by tariff and billing period; remembered, for only a figure changes them."""
        if self._steps is None or self._steps[0] is not prices or self._steps[1] is not self.figure:
            self._steps = prices, self.figure, _steps(prices, self)
        return self._steps[2]

    @property
    def figure(self) -> Figure:
        """The figure in force."""
        return self.figures[-1]


@dataclass(slots=True)
class BilledHistory:
    """The debits of a meter stream from `first_version` on, where the counters were `before`.

    It may begin in the middle: then no correction in it, or after it, may reach further back. `version` is the newest
    event taken in.
    """

    before: Counters = FRESH
    first_version: int = 1
    version: int = 0
    spans: list[BilledSpan] = field(default_factory=list)
    _numbers: dict[UUID, int] = field(default_factory=dict)
    # Spans rated so far, and those among them whose figure was replaced since.
    _known: int = 0
    _replaced: set[int] = field(default_factory=set)

    def take(self, version: int, fact: Fact) -> None:
        """Take in the stream's next event; one that was taken in before changes nothing."""
        if version <= self.version:
            return
        self.version = version
        if version < self.first_version:
            return
        if isinstance(fact, UsageDebited):
            self._numbers[fact.reading] = len(self.spans)
            figures = [Figure(fact.usage_milliwh, fact.quality)]
            self.spans.append(
                BilledSpan(version, fact.reading, fact.account, fact.started_at, fact.ended_at, figures)
            )
        elif isinstance(fact, UsageCorrected) and fact.debit_version >= self.first_version:
            self.replace(self._numbers[fact.reading], Figure(fact.usage_milliwh, fact.quality))

    def knows(self, reading: UUID) -> bool:
        """Tell whether all is here that there is to know of a reading."""
        return self.first_version == 1 or reading in self._numbers

    def find(self, reading: UUID) -> int | None:
        """Return the number of the span that a reading was billed as."""
        return self._numbers.get(reading)

    def replace(self, number: int, figure: Figure) -> None:
        """Put another figure in force; what follows from it is worked out when it is asked for."""
        self.spans[number].figures.append(figure)
        if number < self._known:
            self._replaced.add(number)

    def counters_before(self, number: int) -> Counters:
        """Return the counters before a span, as last worked out."""
        return self.spans[number - 1].after if number else self.before

    def counters(self, prices: Sequence[Price]) -> Counters:
        """Rate what is not rated yet, and return the counters after all of it; raises Underivable."""
        self.rerate(prices)
        return self.counters_before(len(self.spans))

    def rerate(self, prices: Sequence[Price]) -> list[tuple[BilledSpan, Mapping[Item, int]]]:
        """Rate again what a new figure touches; return the spans rated with what they came to before.

        Spans that meet the counters that they met before are passed over. Raises Underivable where no tariff is in
        force for a span.
        """
        number, last = min(self._replaced, default=self._known), max(self._replaced, default=0)
        counters = self.counters_before(number)
        done: list[tuple[BilledSpan, Mapping[Item, int]]] = []
        while number < len(self.spans):
            span = self.spans[number]
            earlier = span.amounts, span.after
            span.amounts, span.after = _rated(prices, counters, span)
            done.append((span, earlier[0]))
            number += 1
            if last < number < self._known and span.after == earlier[1]:
                number = self._known
            counters = self.counters_before(number)
        self._known = number
        self._replaced.clear()
        return done


def _rated(prices: Sequence[Price], counters: Counters, span: BilledSpan) -> tuple[dict[Item, int], Counters]:
    """Rate a span by the tariffs that were in force; the amounts are told apart by billing period."""
    amounts: dict[Item, int] = {}
    for tariff, period, atoms in span.steps(prices):
        rated = rate(tariff, counters, atoms)
        counters = rated.counters
        for line in rated.lines:
            item = Item(
                span.account,
                period,
                line.component,
                line.tariff,
                line.version,
                line.tax,
                line.allowance,
                line.at_payment,
            )
            amounts[item] = amounts.get(item, 0) + line.amount_micros
    return amounts, counters


def _steps(prices: Sequence[Price], span: BilledSpan) -> list[Step]:
    first = bisect_right(prices, span.start, key=lambda price: price.starts) - 1
    last = max(bisect_left(prices, span.end, key=lambda price: price.starts), first + 1)
    tariffs = [price.tariff for price in prices[first:last] if price.tariff is not None] if first >= 0 else []
    if first < 0 or len(tariffs) < last - first:
        raise Underivable(f"no tariff is in force now for all of {span.start.isoformat()} to {span.end.isoformat()}")
    rules = [Rule(price.starts, tariff.days) for price, tariff in zip(prices[first:last], tariffs, strict=True)]
    energy = span.figure.energy_milliwh
    atoms = segment_by(rules, start=span.start, end=span.end, energy_milliwh=energy)
    return [
        Step(tariffs[number], period, [atom for _, atom in group])
        for (number, period), group in groupby(atoms, key=lambda pair: (pair[0], pair[1].period))
    ]


def folded_counters(events: Iterable[tuple[int, Fact]], prices: Sequence[Price]) -> Counters:
    """Return the counters that a meter stream's events lead to, by its evidence alone, from the first (design I6).

    `events` are (version, fact) in order, `prices` those of the supply point; raises Underivable.
    """
    history = BilledHistory()
    for version, fact in events:
        history.take(version, fact)
    return history.counters(prices)
