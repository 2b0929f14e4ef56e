"""Supply points share what they have in common, and are the same as before to whoever asks."""

from datetime import datetime, timedelta, timezone

import msgspec

from ledger.domain.event import Fact
from ledger.domain.sharing import Shared
from ledger.domain.snapshot import PricingSnapshot
from ledger.store.mapper import fact_of
from tests.ledger import facts
from tests.ledger.builders import MOVED_IN, assigned, installed, occupied, published, registered


def read_anew(fact: Fact) -> Fact:
    """As the log gives it: every value an object of its own."""
    return fact_of(fact.topic, msgspec.json.encode(fact))


def snapshot_of(rooms: int) -> PricingSnapshot:
    snapshot = PricingSnapshot()
    snapshot.apply(published())
    for room in (f"room-{number}" for number in range(rooms)):
        for fact in (registered(room), installed(room), assigned(room), occupied(room)):
            snapshot.apply(read_anew(fact))
    return snapshot


def test_supply_points_of_one_concentrator_and_tariff_share_what_they_say_of_them() -> None:
    snapshot = snapshot_of(2)
    one, other = snapshot.supplies.values()
    assert one.concentrator is other.concentrator
    assert one.terms[0].tariff is other.terms[0].tariff
    assert one.occupancies[0].occupied_from is other.occupancies[0].occupied_from
    assert one.spells[0].meter.max_power_w is other.spells[0].meter.max_power_w
    assert one.code is one.terms[0].supply is one.occupancies[0].supply
    assert snapshot.prices_of(one) is snapshot.prices_of(other)


def test_prices_follow_a_tariff_published_since() -> None:
    snapshot = snapshot_of(1)
    (supply,) = snapshot.supplies.values()
    before = snapshot.prices_of(supply)
    snapshot.apply(published(version=2, at=MOVED_IN + timedelta(days=1)))
    assert len(snapshot.prices_of(supply)) == len(before) + 1


def test_prices_of_a_supply_point_as_it_was_are_those_of_then() -> None:
    snapshot = snapshot_of(1)
    (before,) = snapshot.supplies.values()
    known = snapshot.prices_of(before)
    snapshot.apply(assigned("room-0", at=MOVED_IN + timedelta(days=3)))
    now = snapshot.supplies["room-0"]
    assert len(snapshot.prices_of(now)) > len(known)
    assert snapshot.prices_of(before) == known


def test_shared_values_leave_every_fact_as_it_was() -> None:
    shared = Shared()
    for fact in facts.FACTS:
        if fact.topic.startswith("supply."):
            copy = read_anew(fact)
            shared.within(copy, supply=fact.supply)  # type: ignore[attr-defined]
            assert copy == fact


def test_an_instant_of_another_zone_stays_as_it_is_told() -> None:
    shared = Shared()
    elsewhere = datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    for instant in (elsewhere.astimezone(MOVED_IN.tzinfo), elsewhere):
        fact = read_anew(assigned("room-1", at=instant))
        shared.within(fact, supply="room-1")
        assert msgspec.json.decode(msgspec.json.encode(fact))["effective_from"] == instant.isoformat().replace(
            "+00:00", "Z"
        )
