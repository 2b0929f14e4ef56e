"""Intervals bill once each, whatever order they come in; what contradicts or overlaps them is held (I8)."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.domain import intervals
from ledger.domain.intervals import HistoryNeeded, covering, overlaps
from ledger.domain.metering import take_interval
from ledger.wire import IntervalReading
from tests.ledger.builders import Household, household, milliwh, minutes


def meter_of_intervals() -> Household:
    return household(measures="interval")


def the_interval(begin: float, end: float) -> IntervalReading:
    return IntervalReading(meter="room-1-m", start=minutes(begin), end=minutes(end), import_milliwh=1)


def covered(home: Household) -> list[tuple[float, float]]:
    """The spans billed so far, in minutes after moving in."""
    moved_in = minutes(0).timestamp()
    return [((begin - moved_in) / 60, (end - moved_in) / 60) for begin, end in home.metering.state.covered]


def test_an_interval_bills_its_energy_to_its_own_span() -> None:
    home = meter_of_intervals()
    home.uses(0.25, between=(0, 30))
    (debit,) = home.debits
    assert (debit.usage_milliwh, debit.started_at, debit.ended_at) == (250_000, minutes(0), minutes(30))
    assert (debit.opening_milliwh, debit.closing_milliwh) == (None, None)


def test_neighbours_are_merged_and_a_gap_stays_open() -> None:
    home = meter_of_intervals()
    home.uses(0.1, between=(0, 30))
    home.uses(0.1, between=(30, 60))
    home.uses(0.1, between=(90, 120))
    assert covered(home) == [(0, 60), (90, 120)]


def test_a_gap_is_filled_late_and_billed() -> None:
    home = meter_of_intervals()
    home.uses(0.1, between=(0, 30))
    home.uses(0.1, between=(60, 90))
    home.uses(0.2, between=(30, 60))
    assert milliwh(home.billed_kwh) == 400_000
    assert covered(home) == [(0, 90)]
    assert home.metering.state.billed_to == minutes(90)


def test_an_interval_of_nothing_is_recorded_so_that_its_time_is_covered() -> None:
    home = meter_of_intervals()
    home.uses(0, between=(0, 30))
    assert [debit.amount_micros for debit in home.debits] == [0]
    assert home.debits[0].postings == []
    assert covered(home) == [(0, 30)]


def test_an_overlap_is_judged_on_what_was_billed_before() -> None:
    home = meter_of_intervals()
    home.uses(0.1, between=(0, 30))
    with pytest.raises(HistoryNeeded, match="room-1"):
        home.uses(0.1, between=(0, 30))


def test_the_same_interval_again_is_counted_not_billed() -> None:
    home = meter_of_intervals()
    home.uses(0.1, between=(0, 30))
    home.uses(0.1, between=(0, 30), billed=home.billed_intervals)
    assert (len(home.facts), home.metering.superseded) == (1, 1)


def test_the_same_interval_with_other_energy_is_held() -> None:
    home = meter_of_intervals()
    home.uses(0.1, between=(0, 30))
    home.uses(0.2, between=(0, 30), billed=home.billed_intervals)
    assert home.held_for == ["conflicting"]
    assert "with 0.1 kWh, now it says 0.2 kWh" in home.holds[0].detail
    assert milliwh(home.billed_kwh) == 100_000


@pytest.mark.parametrize("between", [(15, 45), (-30, 30), (0, 15), (10, 20), (0, 60)])
def test_an_interval_that_is_partly_billed_under_other_bounds_is_held(between: tuple[float, float]) -> None:
    home = household(measures="interval", occupied_at=minutes(-60), terms_from=minutes(-60))
    home.uses(0.1, between=(0, 30))
    home.uses(0.1, between=between, billed=home.billed_intervals)
    assert home.held_for == ["overlapping"]
    assert milliwh(home.billed_kwh) == 100_000


@pytest.mark.parametrize(
    ("kwh", "between", "published_at", "reason"),
    [
        (0.1, (30, 0), 60, "out-of-range"),
        (0.1, (0, 0), 60, "out-of-range"),
        (-0.1, (0, 30), 60, "out-of-range"),
        (0.1, (0, 0.001), 60, "out-of-range"),
        (0.1, (0, 30), 24, "in-the-future"),
        (6, (0, 30), 60, "leap"),
        (0.1, (-30, 0), 60, "unoccupied"),
    ],
)
def test_an_interval_that_cannot_be_is_held(
    kwh: float, between: tuple[float, float], published_at: float, reason: str
) -> None:
    home = meter_of_intervals()
    home.uses(kwh, between=between, published_at=published_at)
    assert home.held_for == [reason]
    assert home.debits == []
    assert covered(home) == []


def test_an_interval_without_a_tariff_is_held_for_itself_and_its_time_stays_open() -> None:
    home = household(measures="interval", terms_from=minutes(30))
    home.uses(0.1, between=(0, 30))
    home.uses(0.1, between=(30, 60))
    assert home.held_for == ["no-terms"]
    assert covered(home) == [(30, 60)]


def test_a_held_interval_does_not_keep_others_from_being_billed() -> None:
    home = meter_of_intervals()
    home.uses(60, between=(0, 30))
    home.uses(0.1, between=(0, 30))
    assert milliwh(home.billed_kwh) == 100_000


def test_intervals_of_one_start_and_another_length_are_different_readings() -> None:
    readings = [the_interval(0, 15), the_interval(0, 30), the_interval(15, 30)]
    assert len({intervals.identity(reading) for reading in readings}) == 3


slots = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4), st.integers(0, 3)), max_size=30)


@given(slots)
@settings(max_examples=200)
def test_in_any_order_each_moment_is_billed_at_most_once_and_coverage_is_what_was_billed(
    said: list[tuple[int, int, int]],
) -> None:
    home = meter_of_intervals()
    billed: dict[int, int] = {}
    for slot, length, energy in said:
        mine = range(slot, slot + length)
        is_free = not any(minute in billed for minute in mine)
        before = len(home.debits)
        home.uses(energy * 0.01, between=(slot, slot + length), published_at=60, billed=home.billed_intervals)
        assert (len(home.debits) > before) == is_free
        if is_free:
            billed.update(dict.fromkeys(mine, 0))
    spans = covered(home)
    assert sorted(minute for begin, end in spans for minute in range(int(begin), int(end))) == sorted(billed)
    assert all(end < begin for (_, end), (begin, _) in pairwise(spans))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9)), max_size=12))
def test_coverage_is_the_same_in_whatever_order_it_grew(spans: list[tuple[int, int]]) -> None:
    readings = [the_interval(begin, begin + length) for begin, length in spans]
    one: intervals.Spans = ()
    other: intervals.Spans = ()
    for reading, reversed_ in zip(readings, reversed(readings), strict=True):
        one, other = covering(one, reading), covering(other, reversed_)
    assert one == other
    assert all(overlaps(one, reading) for reading in readings)
    assert not overlaps(one, the_interval(60, 61))


def test_intervals_that_touch_do_not_overlap() -> None:
    spans = covering((), the_interval(10, 20))
    assert not overlaps(spans, the_interval(0, 10))
    assert not overlaps(spans, the_interval(20, 30))
    assert overlaps(spans, the_interval(19, 20))


def test_an_estimate_says_so_in_the_debit() -> None:
    home = meter_of_intervals()
    reading = msgspec.structs.replace(the_interval(0, 30), quality="estimated")
    take_interval(home.draft, home.metering, home.supply, reading, home.source(30), None)
    assert home.debits[0].quality == "estimated"
