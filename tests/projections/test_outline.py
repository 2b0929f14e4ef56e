from datetime import timedelta
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from ledger.domain import chart
from ledger.domain.credit.forecast import HOURS_PER_WEEK, Habit, hour_of, taken_in
from ledger.domain.event import Event
from ledger.domain.meter import MeterState, Source, UsageDebited
from ledger.store.mapper import UnknownFact, fact_of, stored
from ledger.values.identity import meter_stream
from projections.conditions import accounts_of
from projections.habits import habits_of
from projections.links import named_by
from projections.outline import SourceOutline, StateOutline, UsageOutline, outline_of
from tests.projections.builders import START, Story, episode_of, topped_up, usage_debited
from tests.projections.conftest import Project

HOUR = timedelta(hours=1)
PARTS = {"source": (SourceOutline, Source), "state": (StateOutline, MeterState)}


def test_an_outline_has_the_fields_of_the_debit_with_their_types() -> None:
    whole = get_type_hints(UsageDebited, include_extras=True)
    for name, kind in get_type_hints(UsageOutline, include_extras=True).items():
        if name in PARTS:
            assert (kind, whole[name]) == PARTS[name]
        else:
            assert kind == whole[name]
    for outline, of in PARTS.values():
        of_whole = get_type_hints(of, include_extras=True)
        for name, kind in get_type_hints(outline, include_extras=True).items():
            assert kind == of_whole[name]


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**12), st.booleans())
def test_an_outline_says_what_the_debit_says(amount_micros: int, usage_milliwh: int, is_held: bool) -> None:
    fact = usage_debited(
        supply="flat",
        account="anna",
        amount_micros=amount_micros,
        usage_milliwh=usage_milliwh,
        episode=episode_of("flat", START) if is_held else None,
    )
    outline = outline_of(fact.topic, stored(Event(meter_stream("flat"), 1, fact)).state)
    assert isinstance(outline, UsageOutline)
    for name in set(UsageOutline.__struct_fields__) - set(PARTS):
        assert getattr(outline, name) == getattr(fact, name)
    assert outline.source.published_at == fact.source.published_at
    assert outline.state.episode == fact.state.episode


def test_every_other_fact_is_read_whole() -> None:
    fact = topped_up(account="anna", amount_micros=7)
    state = stored(Event(meter_stream("flat"), 1, fact)).state
    assert outline_of(fact.topic, state) == fact_of(fact.topic, state) == fact


def test_a_debit_that_cannot_be_read_is_told_as_anywhere_else() -> None:
    with pytest.raises(UnknownFact, match=r"usage-debited/1' cannot be read.*wattledger audit"):
        outline_of(UsageDebited.topic, b'{"supply": 7}')


def test_what_passes_over_usage_would_find_nothing_in_it() -> None:
    fact = usage_debited(supply="flat", account="anna", amount_micros=1_000_000)
    assert list(named_by(fact)) == []
    assert accounts_of(fact) == set()
    assert {posting.code for posting in fact.postings}.isdisjoint({chart.DEBT, chart.ACCRUED_CHARGES})


def test_habits_are_taken_in_as_the_forecast_says(story: Story, project: Project, projector: Connection[Any]) -> None:
    """Weeks in one batch, hours that come late, costs given back, two accounts: the rule in SQL is the domain's."""
    weeks = [0, 0, 1, 3, 2, 3, 4, 4, 9, 8]
    facts = [
        usage_debited(
            supply="s",
            account=f"a-{number % 2}",
            amount_micros=number**3 - 90,
            at=START + (week * HOURS_PER_WEEK + number % 3) * HOUR,
        )
        for number, week in enumerate(week for week in weeks for _ in range(6))
    ]
    expected: dict[str, dict[int, Habit]] = {"a-0": {}, "a-1": {}}
    for fact in facts:
        hour = hour_of(fact.started_at)
        slots = expected[fact.account]
        slots[hour % HOURS_PER_WEEK] = taken_in(slots.get(hour % HOURS_PER_WEEK), hour, fact.amount_micros)
    story.tell_each(facts)
    project(limit=23)
    assert habits_of(projector, ["a-0", "a-1"]) == expected
