"""The pricing snapshot is a fold of control facts: how they were read in batches leaves no trace."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.event import Fact
from ledger.domain.snapshot import PricingSnapshot
from ledger.values.identity import meter_stream
from tests.ledger import facts
from tests.ledger.builders import (
    MOVED_IN,
    assigned,
    installed,
    minutes,
    occupied,
    published,
    registered,
    tariff_text,
)

STORY: list[Fact] = [
    published(),
    registered("room-1"),
    registered("room-2"),
    installed("room-1"),
    occupied("room-1"),
    assigned("room-1"),
    installed("room-2"),
    published(text=tariff_text(price="1"), at=minutes(60), version=2),
    assigned("room-2", at=minutes(30)),
    occupied("room-2", at=minutes(10)),
]
# Of these pricing depends on nothing: debits, holds, top-ups, locks and orders.
NOISE = [fact for fact in facts.FACTS if not fact.topic.startswith(("supply.", "tariff."))]


def snapshot_of(facts_in_order: list[Fact]) -> PricingSnapshot:
    snapshot = PricingSnapshot()
    for fact in facts_in_order:
        snapshot.apply(fact)
    return snapshot


def picture(snapshot: PricingSnapshot, at: datetime) -> list[object]:
    """All that pricing asks a snapshot."""
    return [
        (
            supply,
            snapshot.supply_of_meter(f"{code}-m"),
            snapshot.tariff_at(supply, at),
            list(snapshot.changes_of(supply)),
            snapshot.stream_of(code),
        )
        for code, supply in sorted(snapshot.supplies.items())
    ]


@given(st.sets(st.integers(1, len(STORY) - 1)), st.integers(0, 120))
def test_folding_in_batches_of_any_size_gives_the_same_snapshot(cuts: set[int], at_min: int) -> None:
    snapshot = PricingSnapshot()
    for begin, end in pairwise([0, *sorted(cuts), len(STORY)]):
        for fact in STORY[begin:end]:
            snapshot.apply(fact)
        picture(snapshot, minutes(at_min))
    assert picture(snapshot, minutes(at_min)) == picture(snapshot_of(STORY), minutes(at_min))


@given(st.lists(st.tuples(st.integers(0, len(STORY)), st.sampled_from(NOISE)), max_size=10))
def test_facts_that_pricing_does_not_depend_on_leave_no_trace(noise: list[tuple[int, Fact]]) -> None:
    story = list(STORY)
    for place, fact in noise:
        story.insert(place, fact)
    assert picture(snapshot_of(story), minutes(90)) == picture(snapshot_of(STORY), minutes(90))


def test_the_price_is_that_of_the_newest_version_in_force() -> None:
    snapshot = snapshot_of(STORY)
    supply = snapshot.supplies["room-1"]
    versions = [snapshot.tariff_at(supply, minutes(at)) for at in (-1, 0, 59, 60)]
    assert [version and version.version for version in versions] == [None, 1, 1, 2]


def test_a_supply_point_without_terms_yet_has_no_price() -> None:
    snapshot = snapshot_of(STORY)
    supply = snapshot.supplies["room-2"]
    assert snapshot.tariff_at(supply, minutes(29)) is None
    assert snapshot.tariff_at(supply, minutes(30)) is not None


def test_terms_assigned_late_for_an_earlier_time_take_their_place_in_time() -> None:
    snapshot = snapshot_of([*STORY, assigned("room-2", at=MOVED_IN - timedelta(days=1))])
    starts = [terms.effective_from for terms in snapshot.supplies["room-2"].terms]
    assert starts == sorted(starts)
    assert snapshot.tariff_at(snapshot.supplies["room-2"], minutes(5)) is not None


def test_a_meter_nobody_installed_measures_nothing() -> None:
    assert snapshot_of(STORY).supply_of_meter("room-9-m") is None


def test_a_meter_stream_is_named_by_its_supply_point_for_ever() -> None:
    """What is stored under a stream's id can only be found under it."""
    assert str(meter_stream("room-1")) == "b7b3a5f5-b1da-558f-95fd-e54f592639c5"
    assert snapshot_of(STORY).stream_of("room-1") == meter_stream("room-1")
