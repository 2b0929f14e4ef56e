"""Stored events are forever: each topic has one example whose bytes never change, and is read as it was written."""

from pathlib import Path

import pytest
from eventsourcing.persistence import JSONTranscoder

from ledger.domain.event import FACTS, Event, Fact
from ledger.store.mapper import FactMapper, UnknownFact, fact_of, stored
from ledger.values.errors import InvalidValue
from tests.ledger import facts
from tests.ledger.builders import MOVED_IN

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = {fact.topic: fact for fact in facts.FACTS}


def golden_file(topic: str) -> Path:
    return GOLDEN / f"{topic.replace('/', '.v')}.json"


def test_every_topic_has_an_example_and_a_golden_file_and_no_file_is_left_over() -> None:
    assert set(EXAMPLES) == set(FACTS)
    assert {golden_file(topic) for topic in FACTS} == set(GOLDEN.iterdir())


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_a_stored_fact_is_read_as_it_was_written(topic: str) -> None:
    assert fact_of(topic, golden_file(topic).read_bytes().rstrip(b"\n")) == EXAMPLES[topic]


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_a_stored_fact_is_written_as_it_was_read(topic: str) -> None:
    golden = golden_file(topic).read_bytes().rstrip(b"\n")
    row = stored(Event(facts.READING, 1, fact_of(topic, golden)))
    assert (row.topic, row.state) == (topic, golden)


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_an_example_leaves_no_field_at_its_default(topic: str) -> None:
    """Else the golden file would not notice when that field's name changes."""
    golden = golden_file(topic).read_text()
    assert all(f'"{name}":' in golden for name in EXAMPLES[topic].__struct_fields__)


def test_a_topic_of_a_newer_version_is_told_and_not_passed_over() -> None:
    with pytest.raises(UnknownFact, match=r"'meter\.usage-debited/9' is not known here; a newer version wrote it"):
        fact_of("meter.usage-debited/9", b"{}")


def test_bytes_that_are_no_fact_are_told_with_what_is_wrong() -> None:
    with pytest.raises(UnknownFact, match="missing required field"):
        fact_of("account.opened/1", b'{"account":"a"}')


@pytest.mark.parametrize(
    ("fact", "complaint"),
    [
        ("naive", "timezone"),
        ("mode", "Invalid enum value 'sometimes'"),
        ("nul", "character NUL"),
        ("surrogate", "surrogates not allowed"),
    ],
)
def test_what_could_never_be_read_again_is_not_stored(fact: str, complaint: str) -> None:
    settings, opened = EXAMPLES["site.settings-changed/1"], EXAMPLES["account.opened/1"]
    bad = {
        "naive": _with(settings, effective_from=MOVED_IN.replace(tzinfo=None)),
        "mode": _with(settings, reconnection="sometimes"),
        "nul": _with(opened, account="room\0"),
        "surrogate": _with(opened, account="\ud800"),
    }[fact]
    with pytest.raises(InvalidValue, match=complaint):
        FactMapper(JSONTranscoder()).to_stored_event(Event(facts.READING, 1, bad))


def _with(fact: Fact, **changed: object) -> Fact:
    fields = {name: getattr(fact, name) for name in fact.__struct_fields__}
    return type(fact)(**(fields | changed))
