"""The newest event of a meter is its whole state; the evidence in its events re-derives every figure (I6)."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.domain.meter import MeterState, UsageDebited
from ledger.domain.metering import Metering
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply
from ledger.rating.lines import Counters, Line
from ledger.rating.rate import rate
from ledger.rating.segment import segment
from ledger.store.mapper import fact_of, stored
from tests.ledger.builders import MOVED_IN, Household, household, milliwh, minutes, published, tariff_text


def rederived(snapshot: PricingSnapshot, debit: UsageDebited, before: Counters) -> tuple[list[Line], Counters]:
    """Price a debit's usage once more, from nothing but its evidence, the tariffs and the counters so far."""
    supply = snapshot.supplies[debit.supply]
    first = snapshot.tariff_at(supply, debit.started_at)
    assert first is not None
    atoms = segment(
        start=debit.started_at,
        end=debit.ended_at,
        energy_milliwh=debit.usage_milliwh,
        zone=first.tariff.time_zone,
        changes=_changes(snapshot, supply),
    )
    lines: list[Line] = []
    for version, group in groupby(atoms, key=lambda atom: snapshot.tariff_at(supply, atom.start)):
        assert version is not None
        rated = rate(version, before, list(group))
        lines += rated.lines
        before = rated.counters
    return lines, before


def _plain(line: Line) -> Line:
    """A line without the word that its span was cut by time: that changes no figure."""
    return msgspec.structs.replace(line, rule=line.rule.removesuffix(", apportioned by time"))


def _changes(snapshot: PricingSnapshot, supply: Supply) -> list[datetime]:
    return list(snapshot.changes_of(supply))


def check_that_evidence_explains_everything(home: Household) -> None:
    counters, register, billed_to = Counters(), milliwh(home.opening_kwh), None
    spans: list[tuple[int, int]] = []
    for event in home.draft.events:
        fact = fact_of(event.fact.topic, stored(event).state)
        if isinstance(fact, UsageDebited):
            assert fact.before == counters
            lines, counters = rederived(home.snapshot, fact, counters)
            assert [_plain(line) for line in fact.lines] == lines
            assert fact.amount_micros == sum(line.amount_micros for line in lines)
            consumer = [posting for posting in fact.postings if posting.account]
            assert sum(posting.amount_micros for posting in consumer) == fact.amount_micros
            billed_to = fact.ended_at if billed_to is None else max(billed_to, fact.ended_at)
            if fact.closing_milliwh is None:
                spans.append((int(fact.started_at.timestamp()), int(fact.ended_at.timestamp())))
            else:
                assert fact.opening_milliwh == register
                register = fact.closing_milliwh
            assert (fact.state.account, fact.state.meter) == (fact.account, fact.meter)
            assert fact.state.billed_to == billed_to
        assert fact_state(fact).counters == counters
        assert _covered_s(fact_state(fact)) == sum(end - begin for begin, end in spans)
        if fact_state(fact).register_milliwh is not None:
            assert fact_state(fact).register_milliwh == register
    assert home.draft.events == [] or home.facts[-1].state == home.metering.state


def fact_state(fact: object) -> MeterState:
    state = getattr(fact, "state")  # noqa: B009 - every fact of a meter stream has one
    assert isinstance(state, MeterState)
    return state


def _covered_s(state: MeterState) -> int:
    return sum(end - begin for begin, end in state.covered)


readings = st.lists(
    st.tuples(st.integers(1, 3_000), st.fractions(0, 1, max_denominator=97), st.booleans()), min_size=1, max_size=25
)


@given(readings, st.integers(0, 30_000))
@settings(max_examples=80)
def test_every_register_debit_is_explained_by_its_evidence(
    said: list[tuple[int, Fraction, bool]], dearer_at: int
) -> None:
    home = household()
    home.snapshot.apply(published(text=tariff_text(price="0.83", vat="9"), at=minutes(dearer_at), version=2))
    at, register = 0, home.opening_kwh
    for after_min, load, is_good in said:
        at += after_min
        used = Decimal(int(10_000_000 * load * after_min / 60)).scaleb(-6)
        if is_good:
            register += used
        home.reads_register(register if is_good else register - 1, at=at)
    check_that_evidence_explains_everything(home)


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3)), min_size=1, max_size=20))
@settings(max_examples=60)
def test_every_interval_debit_is_explained_by_its_evidence(said: list[tuple[int, int]]) -> None:
    home = household(measures="interval")
    for slot, energy in said:
        home.uses(energy / 10, between=(30 * slot, 30 * slot + 30), published_at=10**6, billed=home.billed_intervals)
    check_that_evidence_explains_everything(home)


@given(readings, st.integers(1, 24))
@settings(max_examples=60)
def test_a_worker_that_loads_the_newest_event_goes_on_as_if_it_had_never_stopped(
    said: list[tuple[int, Fraction, bool]], stops_after: int
) -> None:
    steady, restarted = household(), household()
    at, register = 0, steady.opening_kwh
    for number, (after_min, load, is_good) in enumerate(said):
        at += after_min
        register += Decimal(int(5_000_000 * load * after_min / 60) * is_good).scaleb(-6)
        for home in (steady, restarted):
            home.reads_register(register if is_good else register + 900, at=at)
        if number + 1 == stops_after:
            restarted.metering = _loaded(restarted)
    assert [stored(event) for event in restarted.draft.events] == [stored(event) for event in steady.draft.events]


def _loaded(home: Household) -> Metering:
    """What a worker reads: the newest event, and the row of when the meter was seen."""
    loaded = Metering(seen_at=home.metering.seen_at)
    if home.draft.events:
        event = home.draft.events[-1]
        loaded.state = fact_state(fact_of(event.fact.topic, stored(event).state))
        loaded.version = event.originator_version
    return loaded


def test_a_months_usage_is_counted_in_its_local_month() -> None:
    home = household()
    home.reads(30, at=60 * 24 * 10)
    home.reads(150, at=60 * 24 * 40)
    march, april = home.debits[-1].state.counters.others[0], home.debits[-1].state.counters
    assert (march[0], april.period) == ("2026-03", "2026-04")
    assert march[1] + april.energy_milliwh == milliwh(150)


@pytest.mark.parametrize("measures", ["register", "interval"])
def test_a_state_survives_its_storage(measures: str) -> None:
    home = household(measures=measures)
    if measures == "register":
        home.reads(1, at=15)
        home.reads(900, at=30)
    else:
        home.uses(1, between=(0, 30))
        home.uses(1, between=(60, 90))
    event = home.draft.events[-1]
    assert fact_of(event.fact.topic, stored(event).state) == event.fact
    assert event.fact.recorded_at == MOVED_IN
