"""Stored events are forever: each topic has examples whose bytes never change, and is read as it was written.

A topic that gained a field keeps the example from before, and has a second one with it. A topic that is no longer
written keeps its examples, and is read as the newest version of its kind.
"""

from pathlib import Path

import pytest
from eventsourcing.persistence import JSONTranscoder

from ledger.domain.event import FACTS, UPCASTS, Event, Fact, newest
from ledger.store.mapper import FactMapper, UnknownFact, fact_of, stored
from ledger.values.errors import InvalidValue
from tests.ledger import facts
from tests.ledger.builders import MOVED_IN

GOLDEN = Path(__file__).parent / "golden"


def golden_files() -> dict[Path, Fact]:
    """Every example by its file: the first of its topic has the plain name, those after it are numbered."""
    files: dict[Path, Fact] = {}
    for fact in facts.FACTS:
        number = 1 + sum(earlier.topic == fact.topic for earlier in files.values())
        suffix = "" if number == 1 else f".{number}"
        files[GOLDEN / f"{fact.topic.replace('/', '.v')}{suffix}.json"] = fact
    return files


EXAMPLES = golden_files()
WRITTEN = [file for file, fact in EXAMPLES.items() if fact.topic not in UPCASTS]
OF_TOPIC = {fact.topic: fact for fact in reversed(EXAMPLES.values())}


def test_every_topic_has_an_example_and_a_golden_file_and_no_file_is_left_over() -> None:
    assert set(OF_TOPIC) == set(FACTS)
    assert set(EXAMPLES) == set(GOLDEN.iterdir())


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_a_stored_fact_is_read_as_it_was_written(file: Path) -> None:
    assert fact_of(EXAMPLES[file].topic, file.read_bytes().rstrip(b"\n")) == newest(EXAMPLES[file])


@pytest.mark.parametrize("file", WRITTEN, ids=lambda file: file.name)
def test_a_stored_fact_is_written_as_it_was_read(file: Path) -> None:
    golden, topic = file.read_bytes().rstrip(b"\n"), EXAMPLES[file].topic
    row = stored(Event(facts.READING, 1, fact_of(topic, golden)))
    assert (row.topic, row.state) == (topic, golden)


@pytest.mark.parametrize("topic", sorted(FACTS))
def test_no_field_is_left_at_its_default_in_every_example(topic: str) -> None:
    """Else the golden files would not notice when that field's name changes."""
    golden = "".join(file.read_text() for file, fact in EXAMPLES.items() if fact.topic == topic)
    assert all(f'"{name}":' in golden for name in OF_TOPIC[topic].__struct_fields__)


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
    settings, opened = OF_TOPIC["site.settings-changed/1"], OF_TOPIC["account.opened/1"]
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
