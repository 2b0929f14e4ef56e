"""The ledger as use cases see it: streams fold, a lost race appends nothing, a key has one effect."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent, Tracking
from psycopg import Connection

from ledger.domain import account as account_stream_of
from ledger.domain.account import AccountOpened
from ledger.domain.event import Event
from ledger.domain.meter import state_of
from ledger.store.application import IntegrityError, Ledger
from ledger.store.command import Command
from ledger.store.log import newest_of, read_log
from ledger.store.mapper import UnknownFact, state_after, stored
from ledger.store.meter_history import read_history
from ledger.store.recorder import GateRecorder
from ledger.values.errors import Conflict
from tests.ledger import facts
from tests.ledger.builders import MOVED_IN
from tests.ledger.test_gate import append, debits

STREAM = uuid4()


def opened(version: int, account: str = "room-1-a") -> Event:
    return Event(STREAM, version, AccountOpened(account=account, site="north", currency="CNY", recorded_at=MOVED_IN))


def positions(connection: Connection[Any]) -> list[int]:
    return [entry.position for entry in read_log(connection, after=0)]


def test_a_stream_folds_to_its_state_and_version(ledger: Ledger) -> None:
    assert ledger.folded(STREAM, account_stream_of.evolve, None) == (None, 0)
    ledger.append(opened(1))
    state, version = ledger.folded(STREAM, account_stream_of.evolve, None)
    assert state is not None
    assert (state.code, version) == ("room-1-a", 1)


def test_whoever_comes_second_appends_nothing_at_all(ledger: Ledger, writer: Connection[Any]) -> None:
    ledger.append(opened(1))
    with pytest.raises(IntegrityError):
        ledger.append(opened(2), opened(1))
    assert positions(writer) == [1]
    assert ledger.append(opened(2)) == 2


def test_a_key_and_its_events_are_kept_together_or_not_at_all(ledger: Ledger, writer: Connection[Any]) -> None:
    command = Command("k", {"amount": "5"})
    assert ledger.append(opened(1), command=command) == ledger.earlier(command) == 1
    with pytest.raises(IntegrityError):
        ledger.append(opened(2), command=command)
    with pytest.raises(IntegrityError):
        ledger.append(opened(1), command=Command("other", {}))
    assert positions(writer) == [1]
    assert ledger.earlier(Command("other", {})) is None


def test_a_key_with_other_content_is_a_conflict_that_names_the_difference(ledger: Ledger) -> None:
    ledger.append(opened(1), command=Command("k", {"amount": "5", "channel": "kiosk"}))
    with pytest.raises(Conflict, match="amount was '5', is '6'") as caught:
        ledger.earlier(Command("k", {"amount": "6", "channel": "kiosk"}))
    assert "channel" not in str(caught.value)


def test_what_the_recorder_would_not_record_it_refuses(ledger: Ledger, writer: Connection[Any]) -> None:
    """The library passes keyword arguments through; a tracking silently lost is money booked twice."""
    assert isinstance(ledger.recorder, GateRecorder)
    with pytest.raises(TypeError, match="tracking"):
        ledger.recorder.insert_events(
            [StoredEvent(STREAM, 1, "account.opened/1", b"{}")], tracking=Tracking("upstream", 1)
        )
    assert positions(writer) == []


def test_the_newest_event_of_a_long_stream_is_all_that_is_read(writer: Connection[Any]) -> None:
    one, other, empty = uuid4(), uuid4(), uuid4()
    append(writer, debits(30, stream=one))
    append(writer, debits(2, stream=other))
    newest = newest_of(writer, streams=[one, other, empty])
    assert {stream: entry.version for stream, entry in newest.items()} == {one: 30, other: 2}


METER_FACTS = [fact for fact in facts.FACTS if fact.topic.startswith("meter.")]


@pytest.mark.parametrize("fact", METER_FACTS, ids=lambda fact: fact.topic)
def test_the_state_after_an_event_is_read_without_the_rest_of_it(fact: Any) -> None:
    row = stored(Event(STREAM, 1, fact))
    assert state_of(state_after(row.topic, row.state)) == state_of(fact)


def test_a_state_that_cannot_be_read_is_named() -> None:
    with pytest.raises(UnknownFact, match="usage-debited"):
        state_after("meter.usage-debited/1", b'{"recorded_at":"2026-03-01T00:00:00Z","state":7}')
    with pytest.raises(UnknownFact, match="is not known here"):
        state_after("meter.usage-debited/99", b"{}")


def test_what_was_billed_of_a_meter_is_found_in_its_own_stream_only(writer: Connection[Any]) -> None:
    one, other = uuid4(), uuid4()
    append(writer, debits(2, stream=one))
    append(writer, debits(1, stream=other))
    wanted = [facts.READING]
    assert read_history(writer, stream=one, version=2, newest=[], readings=wanted).find(facts.READING) is not None
    assert read_history(writer, stream=uuid4(), version=2, newest=[], readings=wanted).find(facts.READING) is None


def test_a_stored_event_comes_back_as_the_fact_it_was(ledger: Ledger, writer: Connection[Any]) -> None:
    ledger.append(*[Event(STREAM, version, fact) for version, fact in enumerate(facts.FACTS, 1)])
    log = read_log(writer, after=0)
    assert [entry.fact for entry in log] == facts.FACTS
    assert [(entry.stream, entry.version) for entry in log] == [(STREAM, n) for n in range(1, len(facts.FACTS) + 1)]


def test_of_a_callers_key_a_hash_is_kept_for_it_may_be_a_reference(ledger: Ledger, writer: Connection[Any]) -> None:
    command = Command("top-up/+86 139 1234 5678", {"amount": "5"})
    ledger.append(opened(1), command=command)
    row = writer.execute("SELECT key, content::text FROM ledger.command_keys").fetchone()
    assert row is not None
    assert row[0] == f"top-up/{hashlib.sha256(b'+86 139 1234 5678').hexdigest()}"
    assert "1234" not in row[1]
    assert ledger.asked_before(command.key) == {"amount": "5"}
