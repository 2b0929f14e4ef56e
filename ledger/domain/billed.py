"""What a supply point was billed, as it stands now: its debits in order, each with the figure in force (pure).

Rating the debits again from a known point, in the order in which they were billed, gives the counters that are kept
(design I6). A correction replaces a figure, and the rest follows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from ledger.domain.billed_time import BilledTime, add_lines
from ledger.domain.billed_time import Item as Item
from ledger.domain.billed_time import Part as Part
from ledger.domain.billed_time import Underivable as Underivable
from ledger.domain.closing import closed_again
from ledger.domain.event import Fact
from ledger.domain.meter import BillingPeriodClosed, MeterState, TimeChargeDebited, UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.occupancy import Share, shares
from ledger.domain.snapshot import Price
from ledger.domain.spans import span_of, versions_between
from ledger.domain.vending import EnergyVended
from ledger.rating.lines import FRESH, Atom, Counters, Rated
from ledger.rating.quantities import Quantities, cut_by_energy, less, more, segment_span, unknown_periods
from ledger.rating.rate import CompiledTariff, rate
from ledger.values.identity import token_id


class Figure(NamedTuple):
    """An energy as it was given for a span, of what quality, and what else was metered."""

    energy_milliwh: int
    quality: str
    quantities: Quantities | None = None

    def says_the_same(self, other: "Figure") -> bool:
        """Tell whether another figure is the same but for its quality."""
        return self.energy_milliwh == other.energy_milliwh and self.quantities == other.quantities

    def cut(self, energy_milliwh: int) -> tuple["Figure", "Figure"]:
        """Return the figures of some of its energy, and of the rest."""
        rest_milliwh, whole = self.energy_milliwh - energy_milliwh, self.quantities
        if whole is None or not self.energy_milliwh:
            return Figure(energy_milliwh, self.quality), Figure(rest_milliwh, self.quality, whole)
        head = cut_by_energy(whole, energy_milliwh, self.energy_milliwh)
        return Figure(energy_milliwh, self.quality, head), Figure(rest_milliwh, self.quality, less(whole, head))


class Step(NamedTuple):
    """Atoms of one billing period and one occupancy that one tariff version prices."""

    part: Part
    tariff: CompiledTariff
    period: str
    atoms: list[Atom]


@dataclass(slots=True)
class BilledSpan:
    """A reading's usage as it stands: where it is in the stream, its figures (the newest holds), what it comes to.

    `parts` are the occupancies that it lies in. `amounts` and `after`, each occupancy's counters after it, are worked
    out when they are asked for. `opening_milliwh` is its register at its start, None for an interval.
    """

    version: int
    reading: UUID
    start: datetime
    end: datetime
    figures: list[Figure]
    parts: tuple[Part, ...]
    opening_milliwh: int | None = None
    amounts: Mapping[Item, int] = field(default_factory=dict)
    after: Mapping[int, Counters] = field(default_factory=dict)
    _steps: tuple[Sequence[Price], Figure, tuple[Part, ...], list[Step]] | None = None

    def steps(self, prices: Sequence[Price]) -> list[Step]:
        """Return the atoms to be rated; remembered, for only another figure or another occupant changes them."""
        known = self._steps
        if known is None or known[0] is not prices or known[1] is not self.figure or known[2] is not self.parts:
            self._steps = known = prices, self.figure, self.parts, _steps(prices, self)
        return known[3]

    def shares(self) -> list[Share]:
        """Return what each occupancy used of it."""
        bounds = [(part.starts, number) for number, part in enumerate(self.parts)]
        figure = self.figure
        return shares(
            bounds,
            start=self.start,
            end=self.end,
            energy_milliwh=figure.energy_milliwh,
            quantities=figure.quantities,
        )

    @property
    def figure(self) -> Figure:
        """The figure in force."""
        return self.figures[-1]

    @property
    def account(self) -> str:
        """Who pays for it, or for its beginning."""
        return self.parts[0].account

    def rated(
        self, prices: Sequence[Price], before: Mapping[int, Counters]
    ) -> tuple[dict[Item, int], Mapping[int, Counters]]:
        """Rate it by the tariffs that were in force; the amounts are told apart by occupant and billing period."""
        amounts: dict[Item, int] = {}
        after = dict(before)
        steps = self.steps(prices)
        for part, tariff, period, atoms in steps:
            rated = rate(tariff, after.get(part.occupancy, FRESH), atoms)
            after[part.occupancy] = rated.counters
            add_lines(amounts, part.account, period, rated.lines)
        for part, _, period, _ in steps:
            if period in after[part.occupancy].closed:
                again = closed_again(prices, Rated([], after[part.occupancy]), {period})
                after[part.occupancy] = again.counters
                add_lines(amounts, part.account, period, again.lines)
        return amounts, after


# What stands in a history: a reading's usage, or what time charged.
Billed = BilledSpan | BilledTime


@dataclass(slots=True)
class BilledHistory:
    """The debits of a meter stream from `first_version` on, where each occupancy's counters were `before`.

    It may begin in the middle: then no correction in it, or after it, may reach further back. `version` is the newest
    event taken in, `occupancy` the number of the current one there.
    """

    before: Mapping[int, Counters] = field(default_factory=dict)
    first_version: int = 1
    version: int = 0
    occupancy: int = 0
    # A register's debits from the first that reaches beyond this instant, where the history begins in the middle.
    beyond: datetime | None = None
    spans: list[Billed] = field(default_factory=list)
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
        self.occupancy = getattr(fact, "state", MeterState()).occupancy
        if isinstance(fact, UsageDebited):
            self._take_debit(version, fact)
        elif isinstance(fact, EnergyVended):
            self._take_vended(version, fact)
        elif isinstance(fact, TimeChargeDebited | BillingPeriodClosed):
            self.spans.append(BilledTime.of(version, fact))
        elif isinstance(fact, UsageCorrected) and fact.debit_version >= self.first_version:
            figure = Figure(fact.usage_milliwh, fact.quality, fact.quantities)
            self.replace(self._numbers[fact.reading], figure)
        elif isinstance(fact, OccupancyCorrected):
            part = Part(fact.occupied_from, fact.occupancy, fact.account)
            self.rebook(part, cut_milliwh=fact.cut_milliwh)

    def _take_debit(self, version: int, fact: UsageDebited) -> None:
        """Take in a debit; several that bill one reading, because occupancies cut it, are one span."""
        part = Part(fact.started_at, fact.occupancy, fact.account)
        number = self._numbers.get(fact.reading)
        if number is not None and fact.occupancy > self.usage(number).parts[-1].occupancy:
            span = self.usage(number)
            span.end, span.parts = fact.ended_at, (*span.parts, part)
            quantities = more(span.figure.quantities, fact.quantities)
            span.figures = [Figure(span.figure.energy_milliwh + fact.usage_milliwh, fact.quality, quantities)]
            self._mark(number)
            return
        self._numbers[fact.reading] = len(self.spans)
        figures = [Figure(fact.usage_milliwh, fact.quality, fact.quantities)]
        self.spans.append(
            BilledSpan(
                version,
                fact.reading,
                fact.started_at,
                fact.ended_at,
                figures,
                (part,),
                fact.opening_milliwh,
            )
        )

    def _take_vended(self, version: int, fact: EnergyVended) -> None:
        """Take in what a token was issued for: usage of an instant, which nothing ever corrects."""
        part = Part(fact.vended_at, fact.occupancy, fact.account)
        figures = [Figure(fact.usage_milliwh, "vended")]
        token = token_id(supply=fact.supply, count=fact.count)
        self.spans.append(BilledSpan(version, token, fact.vended_at, fact.vended_at, figures, (part,)))

    def first_beyond(self, instant: datetime) -> int | None:
        """Return the number of the first usage in the stream that reaches beyond an instant; None where none does."""
        spans = enumerate(self.spans)
        return next((number for number, span in spans if isinstance(span, BilledSpan) and span.end > instant), None)

    def usage_from(self, first: int) -> dict[str, int]:
        """Return the energy that each account has of the spans from this number on."""
        totals: dict[str, int] = {}
        for span in self.spans[first:]:
            for share in span.shares() if isinstance(span, BilledSpan) else ():
                account = span.parts[share.occupancy].account
                totals[account] = totals.get(account, 0) + share.energy_milliwh
        return totals

    def rebook(self, part: Part, *, cut_milliwh: int | None) -> None:
        """Let an occupancy have what was billed from its beginning on.

        `cut_milliwh` is what the span that straddles the instant used before it, where that was read; else it is
        apportioned.
        """
        number = 0
        while number < len(self.spans):
            span = self.spans[number]
            if isinstance(span, BilledTime):
                if span.rebook(part):
                    self._mark(number)
            elif span.end > part.starts and span.parts[-1].occupancy < part.occupancy:
                if span.start < part.starts and cut_milliwh is not None and span.opening_milliwh is not None:
                    self._cut(number, part.starts, cut_milliwh)
                    continue
                before = [row for row in span.parts if row.starts < part.starts]
                span.parts = (*before, part._replace(starts=max(span.start, part.starts)))
                self._mark(number)
            number += 1

    def _cut(self, number: int, instant: datetime, cut_milliwh: int) -> None:
        """Make two spans of one whose register was read in its midst; of one half without usage, nothing is left."""
        span = self.usage(number)
        self._known = min(self._known, number)
        span._steps = None
        if not cut_milliwh:
            span.start = instant
            return
        if cut_milliwh == span.figure.energy_milliwh:
            span.end = instant
            return
        head, tail = span.figure.cut(cut_milliwh)
        opening = span.opening_milliwh or 0
        rest = BilledSpan(
            span.version,
            span.reading,
            instant,
            span.end,
            [tail],
            (span.parts[-1],),
            opening + cut_milliwh,
        )
        span.end, span.figures = instant, [head]
        self.spans.insert(number + 1, rest)
        self._numbers = {row.reading: index for index, row in enumerate(self.spans) if isinstance(row, BilledSpan)}

    def knows(self, reading: UUID) -> bool:
        """Tell whether all is here that there is to know of a reading."""
        return self.first_version == 1 or reading in self._numbers

    def reaches(self, instant: datetime) -> bool:
        """Tell whether all is here that was billed of a time beyond an instant."""
        return self.first_version == 1 or (self.beyond is not None and self.beyond <= instant)

    def usage(self, number: int) -> BilledSpan:
        """Return the usage with this number; what time charged has none that anybody could ask for."""
        span = self.spans[number]
        if isinstance(span, BilledTime):
            raise AssertionError(f"event {span.version} of the stream is no usage, it cannot be corrected")
        return span

    def find(self, reading: UUID) -> int | None:
        """Return the number of the span that a reading was billed as."""
        return self._numbers.get(reading)

    def replace(self, number: int, figure: Figure) -> None:
        """Put another figure in force; what follows from it is worked out when it is asked for."""
        self.usage(number).figures.append(figure)
        self._mark(number)

    def _mark(self, number: int) -> None:
        if number < self._known:
            self._replaced.add(number)

    def counters_before(self, number: int) -> Mapping[int, Counters]:
        """Return each occupancy's counters before a span, as last worked out."""
        return self.spans[number - 1].after if number else self.before

    def counters(self, prices: Sequence[Price]) -> Mapping[int, Counters]:
        """Rate what is not rated yet, and return each occupancy's counters after all of it; raises Underivable."""
        self.rerate(prices)
        return self.counters_before(len(self.spans))

    def rerate(self, prices: Sequence[Price]) -> list[tuple[Billed, Mapping[Item, int]]]:
        """Rate again what a new figure touches; return the spans rated with what they came to before.

        Spans that meet the counters that they met before are passed over. Raises Underivable where no tariff is in
        force for a span.
        """
        number, last = min(self._replaced, default=self._known), max(self._replaced, default=0)
        counters = self.counters_before(number)
        done: list[tuple[Billed, Mapping[Item, int]]] = []
        while number < len(self.spans):
            span = self.spans[number]
            earlier = span.amounts, span.after
            span.amounts, span.after = span.rated(prices, counters)
            done.append((span, earlier[0]))
            number += 1
            if last < number < self._known and span.after == earlier[1]:
                number = self._known
            counters = self.counters_before(number)
        self._known = number
        self._replaced.clear()
        return done


def _steps(prices: Sequence[Price], span: BilledSpan) -> list[Step]:
    return [step for share in span.shares() for step in _steps_of(prices, span.parts[share.occupancy], share)]


def _steps_of(prices: Sequence[Price], part: Part, share: Share) -> list[Step]:
    versions = versions_between(prices, share.start, share.end)
    if versions is None:
        raise Underivable(
            f"no tariff is in force now for all of {share.start.isoformat()} to {share.end.isoformat()}"
        )
    span = span_of(share.start, share.end, share.energy_milliwh, share.quantities)
    if unknown := unknown_periods(versions, span.quantities):
        raise Underivable(f"the tariff in force now does not know the registers' periods {unknown}")
    return [
        Step(part, versions[number].tariff, period, [atom for _, atom in group])
        for (number, period), group in groupby(
            segment_span(versions, span), key=lambda pair: (pair[0], pair[1].period)
        )
    ]


def folded_counters(events: Iterable[tuple[int, Fact]], prices: Sequence[Price]) -> Counters:
    """Return the current occupancy's counters, from a meter stream's evidence alone, from its first event (I6).

    `events` are (version, fact) in order, `prices` those of the supply point; raises Underivable.
    """
    history = BilledHistory()
    for version, fact in events:
        history.take(version, fact)
    return history.counters(prices).get(history.occupancy, FRESH)
