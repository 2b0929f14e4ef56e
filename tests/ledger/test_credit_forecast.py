"""The forecast of when credit runs out."""

import os
from datetime import timedelta
from pathlib import Path
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.credit.forecast import HOURS_PER_WEEK, Habit, costs_by_hour, hour_of, runs_out_at, taken_in
from tests.ledger.builders import MOVED_IN

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
# The documented error of the forecast is measured on this year of a household's load, in kWh by hour.
YEAR = Path(os.environ.get("WATTLEDGER_YEAR_OF_LOAD", "/nowhere"))


def habits(*costs: list[int]) -> dict[int, Habit]:
    """Habits of weeks of hourly costs, from midnight of a Monday on."""
    found: dict[int, Habit] = {}
    first = hour_of(MOVED_IN) // HOURS_PER_WEEK * HOURS_PER_WEEK
    for hour, cost in enumerate(cost for week in costs for cost in week):
        slot = (first + hour) % HOURS_PER_WEEK
        found[slot] = taken_in(found.get(slot), first + hour, cost)
    return found


MONDAY = MOVED_IN - (hour_of(MOVED_IN) % HOURS_PER_WEEK) * HOUR
MONDAY = MONDAY.replace(minute=0, second=0, microsecond=0)


def test_credit_lasts_as_long_as_the_hours_ahead_cost_what_they_did() -> None:
    day = [1] * 8 + [10] * 10 + [4] * 6
    week = habits(day * 7)
    now = MONDAY + WEEK
    assert runs_out_at(week, 8, now) == now + 8 * HOUR
    assert runs_out_at(week, 8 + 25, now) == now + 10 * HOUR
    assert runs_out_at(week, 7 * sum(day) * 3, now) == now + 3 * WEEK


def test_nothing_left_is_now_and_no_habit_is_not_known() -> None:
    assert runs_out_at({}, 0, MONDAY) == MONDAY
    assert runs_out_at({}, 5, MONDAY) is None
    assert runs_out_at(habits([1] * 23), 5, MONDAY + WEEK) is None
    assert runs_out_at(habits([0] * 168), 5, MONDAY + WEEK) is None
    assert runs_out_at(habits([1] * 168), 10**9, MONDAY + WEEK) is None


def test_what_changed_lately_counts_half() -> None:
    now = MONDAY + 2 * WEEK
    assert runs_out_at(habits([2] * 168, [4] * 168), 30, now) == now + 10 * HOUR


def test_the_hour_that_it_is_now_does_not_count_before_it_is_over() -> None:
    week = habits([4] * 168)
    now = MONDAY + WEEK + HOUR / 2
    started = {**week, 0: taken_in(week[0], hour_of(now), 1)}
    assert runs_out_at(started, 12, now) == now + 3 * HOUR


@given(
    st.integers(0, 40_000),
    st.integers(0, 20 * 60),
    st.integers(0, 10**9),
)
def test_a_span_s_cost_is_cut_at_the_hours_and_none_of_it_is_lost(begin: int, minutes: int, cost: int) -> None:
    start = MONDAY + timedelta(seconds=begin)
    parts = list(costs_by_hour(start, start + timedelta(minutes=minutes), cost))
    assert sum(part for _, part in parts) == cost
    hours = [hour for hour, _ in parts]
    assert hours == list(range(hours[0], hours[0] + len(hours)))
    assert min(part for _, part in parts) >= 0


def test_of_a_long_gap_only_the_last_fortnight_tells_of_habits() -> None:
    parts = list(costs_by_hour(MONDAY, MONDAY + 10 * WEEK, 10 * 168))
    assert (len(parts), sum(part for _, part in parts)) == (336, 336)


@pytest.mark.skipif(not YEAR.exists(), reason="set WATTLEDGER_YEAR_OF_LOAD to a file of 8,760 hourly kWh")
@pytest.mark.parametrize(("days", "most"), [(1, 0.15), (3, 0.13), (7, 0.12), (14, 0.13), (30, 0.18)])
def test_the_error_on_a_year_of_real_load_is_what_the_documentation_says(days: int, most: float) -> None:
    load = [round(float(line) * 1_000_000) for line in YEAR.read_text().split()]
    errors = forecast_errors(load, days=days)
    print(f"{days} days: mean {mean(errors):.1%}, median {median(errors):.1%}")  # noqa: T201 - the figure
    assert mean(errors) < most


def forecast_errors(load: list[int], *, days: int) -> list[float]:
    """By how much of its length the forecast misses, asked every 23 hours from the fifth week on."""
    found: dict[int, Habit] = {}
    errors: list[float] = []
    first = hour_of(MONDAY)
    for hour, cost in enumerate(load):
        end = hour + days * 24
        if hour >= 28 * 24 and hour % 23 == 0 and end < len(load):
            now = MONDAY + hour * HOUR
            told = runs_out_at(found, sum(load[hour:end]), now)
            assert told is not None
            errors.append(abs((told - now) / HOUR - days * 24) / (days * 24))
        slot = (first + hour) % HOURS_PER_WEEK
        found[slot] = taken_in(found.get(slot), first + hour, cost)
    return errors
