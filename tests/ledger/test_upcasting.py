"""A fact stored in a shape that is no longer written is read as the newest of its kind."""

from collections.abc import Iterator
from types import SimpleNamespace

import msgspec
import pytest
from eventsourcing.persistence import JSONTranscoder

from ledger.domain.event import FACTS, UPCASTS, Event, Fact, fact_type, newest
from ledger.store import mapper
from ledger.store.mapper import FactMapper, fact_of
from tests.ledger.builders import MOVED_IN
from tests.ledger.facts import READING


class LampBought(Fact, frozen=True, kw_only=True):
    lamp: str
    power_kw: int


class LampBoughtWithWatts(Fact, frozen=True, kw_only=True):
    lamp: str
    power_w: int


class LampBoughtSomewhere(Fact, frozen=True, kw_only=True):
    lamp: str
    power_w: int
    shop: str


def _in_watts(old: LampBought) -> LampBoughtWithWatts:
    return LampBoughtWithWatts(lamp=old.lamp, power_w=old.power_kw * 1_000, recorded_at=old.recorded_at)


def _somewhere(old: LampBoughtWithWatts) -> LampBoughtSomewhere:
    return LampBoughtSomewhere(lamp=old.lamp, power_w=old.power_w, shop="unknown", recorded_at=old.recorded_at)


@pytest.fixture
def lamps(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    facts, upcasts = dict(FACTS), dict(UPCASTS)
    for topic, cls, upcast in (
        ("lamp.bought/1", LampBought, _in_watts),
        ("lamp.bought/2", LampBoughtWithWatts, _somewhere),
        ("lamp.bought/3", LampBoughtSomewhere, None),
    ):
        fact_type(topic, upcast=upcast)(cls)
        monkeypatch.setitem(mapper._decoders, topic, msgspec.json.Decoder(cls))
    yield SimpleNamespace(
        old=LampBought(lamp="desk", power_kw=2, recorded_at=MOVED_IN),
        new=LampBoughtSomewhere(lamp="desk", power_w=2_000, shop="unknown", recorded_at=MOVED_IN),
    )
    FACTS.clear()
    FACTS.update(facts)
    UPCASTS.clear()
    UPCASTS.update(upcasts)


def test_an_old_shape_is_read_as_the_newest_through_every_version_between(lamps: SimpleNamespace) -> None:
    state = b'{"recorded_at":"%s","lamp":"desk","power_kw":2}' % MOVED_IN.isoformat().encode()
    assert fact_of("lamp.bought/1", state) == lamps.new


def test_the_newest_shape_is_left_as_it_is(lamps: SimpleNamespace) -> None:
    assert newest(lamps.new) is lamps.new


def test_an_old_shape_is_never_written_again(lamps: SimpleNamespace) -> None:
    with pytest.raises(TypeError, match=r"lamp\.bought/1 is read, but no longer written; write its newest version"):
        FactMapper(JSONTranscoder()).to_stored_event(Event(READING, 1, lamps.old))


def test_every_upcast_leads_to_a_registered_shape_of_the_same_kind() -> None:
    for topic in UPCASTS:
        kind, _, version = topic.partition("/")
        assert f"{kind}/{int(version) + 1}" in FACTS
