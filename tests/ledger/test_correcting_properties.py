"""Estimated, then actual, equals actual: under any tariff, in any order, blocks and all (issue 3, item 7)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain import intervals
from ledger.domain.billed import BilledHistory, folded_counters
from ledger.domain.event import Event, Fact, Posting
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.metering import take_interval
from ledger.domain.snapshot import Price, PricingSnapshot
from ledger.domain.supply import Supply
from ledger.rating.components import OnChange
from ledger.rating.rate import CompiledTariff, compile_tariff
from ledger.store.mapper import fact_of, stored
from ledger.store.meter_history import read_history
from ledger.wire import IntervalReading, Quality
from tests.ledger.builders import MOVED_IN, Household, assigned, installed, occupied, registered
from tests.ledger.drawn_tariffs import BERLIN, tariffs

QUALITIES: tuple[Quality, ...] = ("unknown", "estimated", "substituted", "measured")
HOUR = timedelta(hours=1)


class Fixed(PricingSnapshot):
    """Supply points whose prices are given."""

    prices: tuple[Price, ...] = ()

    def prices_of(self, supply: Supply) -> tuple[Price, ...]:
        return self.prices


@dataclass(frozen=True, slots=True)
class Span:
    """A span of usage, and the figures that are given for it one after the other, each of better quality."""

    start: datetime
    length: timedelta
    figures: tuple[tuple[Quality, int], ...]


@dataclass(frozen=True, slots=True)
class Story:
    """Spans, and the order in which their figures come in: a span's number as often as it has figures."""

    spans: tuple[Span, ...]
    order: tuple[int, ...]


@st.composite
def stories(draw: st.DrawFn, *, is_aligned: bool) -> Story:
    """Spans over months and their figures in any order; aligned ones lie within one local day."""
    slots = draw(st.lists(st.integers(0, 24 * 75), min_size=1, max_size=8, unique=True))
    spans = []
    for number, slot in enumerate(sorted(slots)):
        room = sorted(slots)[number + 1] - slot if number + 1 < len(slots) else 24 * 20
        hours = 1 if is_aligned else draw(st.integers(1, min(room, 24 * 20)))
        qualities = sorted(draw(st.sets(st.sampled_from(QUALITIES), min_size=1)), key=QUALITIES.index)
        energies = st.integers(0, 10_000_000 * min(hours, 5))
        figures = tuple((quality, draw(energies)) for quality in qualities)
        spans.append(Span(MOVED_IN + slot * HOUR, hours * HOUR, figures))
    tokens = [number for number, span in enumerate(spans) for _ in span.figures]
    return Story(tuple(spans), tuple(draw(st.permutations(tokens))))


@st.composite
def price_lists(draw: st.DrawFn) -> tuple[Price, ...]:
    """One tariff version, or two with the change somewhere among the spans."""
    first = draw(tariffs())
    prices = [Price(MOVED_IN - HOUR, _as(first, 1, draw))]
    if draw(st.booleans()):
        changed_at = MOVED_IN + draw(st.integers(1, 24 * 75)) * HOUR / 2
        prices.append(Price(changed_at, _as(draw(tariffs()), 2, draw)))
    return tuple(prices)


def _as(compiled: CompiledTariff, version: int, draw: st.DrawFn) -> CompiledTariff:
    on_change: OnChange = "carry-over" if draw(st.booleans()) else "restart"
    tariff = replace(compiled.tariff, proration=replace(compiled.tariff.proration, on_change=on_change))
    return compile_tariff(tariff, version=version)


def home_with(prices: tuple[Price, ...]) -> Household:
    snapshot = Fixed()
    snapshot.prices = prices
    for fact in (registered(), installed(measures="interval"), occupied(), assigned()):
        snapshot.apply(fact)
    return Household(snapshot)


def tell(home: Household, span: Span, number: int) -> None:
    """Take in a figure of a span; what was billed is read no further back than it must be."""
    quality, energy = span.figures[number]
    reading = IntervalReading(
        meter="room-1-m",
        start=span.start,
        end=span.start + span.length,
        import_milliwh=energy,
        reactive_millivarh=energy // 3,
        apparent_millivah=energy - energy // 7,
        demand_w=energy % 10_001,
        quality=quality,
    )
    identity = intervals.identity(reading)
    reading = msgspec.structs.replace(reading, supersedes=identity if number else None)
    events = [
        (event.originator_version, fact_of(event.fact.topic, stored(event).state)) for event in home.draft.events
    ]
    history = read_history(None, stream=identity, version=0, newest=events, readings=[identity])  # type: ignore[arg-type]
    take_interval(home.draft, home.metering, home.supply, reading, home.source(10**6), history)


def _as_stored(event: Event) -> Fact:
    return fact_of(event.fact.topic, stored(event).state)


@dataclass(slots=True)
class Told:
    """A story as it was told, and with the right figures first."""

    home: Household
    right: Household
    given: dict[int, int] = field(default_factory=dict)


def told(story: Story, prices: tuple[Price, ...]) -> Told:
    both = Told(home_with(prices), home_with(prices))
    for number in story.order:
        span = story.spans[number]
        if number not in both.given:
            tell(both.right, replace(span, figures=span.figures[-1:]), 0)
        tell(both.home, span, both.given.get(number, 0))
        both.given[number] = both.given.get(number, 0) + 1
    return both


def by_component(home: Household) -> dict[tuple[str, str], int]:
    """What each account was charged on each component, in micro-units; nothing of what came to nothing."""
    totals: dict[tuple[str, str], int] = {}
    for fact in home.facts:
        if isinstance(fact, UsageDebited):
            rows = [(fact.account, line.component, line.amount_micros) for line in fact.lines]
        elif isinstance(fact, UsageCorrected):
            rows = [(line.account, line.component, line.amount_micros) for line in fact.lines]
        for account, component, amount in rows:
            totals[account, component] = totals.get((account, component), 0) + amount
    return {key: amount for key, amount in totals.items() if amount}


def by_period(home: Household) -> dict[tuple[str, str], int]:
    """What each billing period was charged on each component; the spans must lie within local days."""
    totals: dict[tuple[str, str], int] = {}
    for fact in home.facts:
        if isinstance(fact, UsageDebited):
            period = f"{fact.started_at.astimezone(BERLIN):%Y-%m}"
            rows = [(period, line.component, line.amount_micros) for line in fact.lines]
        elif isinstance(fact, UsageCorrected):
            rows = [(line.period, line.component, line.amount_micros) for line in fact.lines]
        for period, component, amount in rows:
            totals[period, component] = totals.get((period, component), 0) + amount
    return {key: amount for key, amount in totals.items() if amount}


def booked(home: Household) -> Mapping[tuple[str, str], int]:
    """What stands on each code and account."""
    totals: dict[tuple[str, str], int] = {}
    for fact in home.facts:
        postings: list[Posting] = getattr(fact, "postings", [])
        assert sum(posting.amount_micros for posting in postings) == 0
        for posting in postings:
            key = (posting.code, posting.account)
            totals[key] = totals.get(key, 0) + posting.amount_micros
    return {key: amount for key, amount in totals.items() if amount}


def versioned(home: Household) -> list[tuple[int, Fact]]:
    return [(event.originator_version, event.fact) for event in home.draft.events]


@given(stories(is_aligned=True), price_lists())
def test_estimated_then_actual_equals_actual_per_component_and_billing_period(
    story: Story, prices: tuple[Price, ...]
) -> None:
    both = told(story, prices)
    assert both.home.holds == []
    assert by_period(both.home) == by_period(both.right)
    assert booked(both.home) == booked(both.right)
    assert both.home.metering.state == both.right.metering.state


@given(stories(is_aligned=False), price_lists())
def test_and_so_it_does_where_spans_cross_months_periods_and_tariffs(story: Story, prices: tuple[Price, ...]) -> None:
    both = told(story, prices)
    assert both.home.holds == []
    assert by_component(both.home) == by_component(both.right)
    assert booked(both.home) == booked(both.right)
    assert both.home.metering.state == both.right.metering.state
    assert len(both.home.corrections) == sum(len(span.figures) - 1 for span in story.spans)
    usage = sum(fact.usage_milliwh - fact.replaced_milliwh for fact in both.home.corrections)
    assert Decimal(usage).scaleb(-6) + both.home.billed_kwh == both.right.billed_kwh


@given(stories(is_aligned=False), price_lists())
def test_counters_folded_from_the_events_are_the_counters_kept_after_each(
    story: Story, prices: tuple[Price, ...]
) -> None:
    events = versioned(told(story, prices).home)
    history = BilledHistory()
    for number, (version, fact) in enumerate(events, 1):
        assert isinstance(fact, UsageDebited | UsageCorrected)
        assert folded_counters(events[:number], prices) == fact.state.counters
        history.take(version, fact)
        assert history.counters(prices)[0] == fact.state.counters
        assert fact.amount_micros == sum(line.amount_micros for line in fact.lines)


@given(stories(is_aligned=True), price_lists())
def test_telling_the_last_figures_again_changes_nothing(story: Story, prices: tuple[Price, ...]) -> None:
    home = told(story, prices).home
    events, before = len(home.facts), home.metering.superseded
    for span in story.spans:
        for number in range(len(span.figures)):
            tell(home, span, number)
    assert len(home.facts) == events
    assert home.metering.superseded == before + sum(len(span.figures) for span in story.spans)
