"""One gate orders every commit: positions are gapless, no reader skips one, and VACUUM and writers never wait."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ledger.domain.account import AccountOpened
from ledger.domain.event import Event
from ledger.store import log
from ledger.store.copying import PRICED_BY
from ledger.store.gate import gated
from ledger.store.log import (
    await_news,
    head_of,
    listen,
    read_control_log,
    read_log,
    read_log_naming,
    read_priced_by_log,
)
from ledger.store.mapper import UnknownFact, stored
from tests.ledger import facts
from tests.ledger.builders import MOVED_IN
from tests.services.postgres import Database

LEDGER_TABLES = ["UPDATE ledger.events SET topic = ''", "DELETE FROM ledger.events", "TRUNCATE ledger.events"]


def debits(number: int, *, stream: UUID | None = None, first: int = 1) -> list[StoredEvent]:
    return _stored("meter.usage-debited/1", number, stream or uuid4(), first)


def _stored(topic: str, number: int, stream: UUID, first: int = 1) -> list[StoredEvent]:
    fact = next(fact for fact in facts.FACTS if fact.topic == topic)
    row = stored(Event(stream, 1, fact))
    return [StoredEvent(stream, version, row.topic, row.state) for version in range(first, first + number)]


def append(connection: Connection[Any], events: Sequence[StoredEvent]) -> range:
    with gated(connection) as gate:
        return gate.append(events)


def connected(database: Database, role: str | None = "wattledger_writer") -> Connection[Any]:
    return psycopg.connect(database.url(role), autocommit=True)


def positions(connection: Connection[Any]) -> list[int]:
    return [row[0] for row in connection.execute("SELECT notification_id FROM ledger.events ORDER BY 1").fetchall()]


def test_positions_are_gapless_and_those_of_a_batch_follow_one_another(database: Database) -> None:
    taken: list[range] = []

    def write(_: int) -> None:
        with connected(database) as connection:
            for size in (1, 3, 7):
                taken.append(append(connection, debits(size)))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    with connected(database) as connection:
        assert positions(connection) == list(range(1, 8 * 11 + 1))
        assert sorted(position for batch in taken for position in batch) == positions(connection)
        assert head_of(connection)[0] == 8 * 11


def test_a_reader_that_tails_the_log_while_others_write_skips_nothing(database: Database) -> None:
    writers, batches = 6, 15

    def write(_: int) -> None:
        with connected(database) as connection:
            for size in range(1, batches + 1):
                append(connection, debits(size))

    expected = writers * sum(range(1, batches + 1))
    seen: list[int] = []
    with ThreadPoolExecutor(writers) as threads, connected(database, "wattledger_projector") as reader:
        done = [threads.submit(write, number) for number in range(writers)]
        deadline = time.monotonic() + 60
        while len(seen) < expected and time.monotonic() < deadline:
            seen += [entry.position for entry in read_log(reader, after=seen[-1] if seen else 0, limit=17)]
        for future in done:
            future.result()
    assert seen == list(range(1, expected + 1))


def test_a_batch_that_fails_leaves_no_gap_and_nothing_behind(writer: Connection[Any]) -> None:
    stream = uuid4()
    append(writer, debits(2, stream=stream))
    with pytest.raises(psycopg.errors.UniqueViolation):
        append(writer, [*debits(3), *debits(1, stream=stream, first=2)])
    append(writer, debits(1))
    assert positions(writer) == [1, 2, 3]
    assert head_of(writer)[0] == 3


def test_a_batch_of_ten_thousand_events_is_appended_at_once(writer: Connection[Any]) -> None:
    assert append(writer, debits(10_000)) == range(1, 10_001)
    assert [entry.version for entry in read_log(writer, after=9_998)] == [9_999, 10_000]


@pytest.mark.parametrize("query", [log._READ, log._READ_CONTROL, log._READ_PRICED_BY])
def test_a_page_of_a_log_without_statistics_is_read_in_order_and_not_sorted_out_of_all_that_follows(
    writer: Connection[Any], query: str
) -> None:
    append(writer, [*debits(2_000), *_stored("supply.registered/1", 2_000, uuid4())])
    plan = "\n".join(line for (line,) in writer.execute(f"EXPLAIN {query}".encode(), (100, 1_000)))
    assert "Index Scan using events_" in plan
    assert "Sort" not in plan


def test_a_page_ends_where_it_was_told_to(writer: Connection[Any]) -> None:
    append(writer, [*debits(3), *_stored("supply.registered/1", 3, uuid4())])
    assert [entry.position for entry in read_log(writer, after=1, upto=3)] == [2, 3]
    assert [entry.position for entry in read_control_log(writer, after=0, upto=5)] == [4, 5]
    assert read_log(writer, after=3, upto=3) == read_log(writer, after=4, upto=3) == []


def test_an_empty_batch_takes_no_position(writer: Connection[Any]) -> None:
    assert len(append(writer, [])) == 0
    assert head_of(writer) == (0, 0)


@pytest.mark.parametrize("fact", facts.FACTS, ids=lambda fact: fact.topic)
def test_only_supply_and_tariff_events_move_the_control_head(writer: Connection[Any], fact: Any) -> None:
    append(writer, debits(1))
    append(writer, _stored(fact.topic, 1, uuid4()))
    is_priced_by = fact.topic.startswith(("supply.", "tariff."))
    assert head_of(writer) == (2, 2 if is_priced_by else 0)


def test_the_control_log_passes_over_debits_and_holds(writer: Connection[Any]) -> None:
    for fact in facts.FACTS:
        append(writer, _stored(fact.topic, 1, uuid4()))
    topics = [entry.fact.topic for entry in read_control_log(writer, after=0)]
    assert topics == [fact.topic for fact in facts.FACTS if not fact.topic.startswith("meter.")]


def test_what_pricing_depends_on_is_read_without_what_money_does_to_accounts(writer: Connection[Any]) -> None:
    for fact in facts.FACTS:
        append(writer, _stored(fact.topic, 1, uuid4()))
    topics = [entry.fact.topic for entry in read_priced_by_log(writer, after=0, upto=head_of(writer)[0])]
    assert topics == [fact.topic for fact in facts.FACTS if fact.topic.startswith(PRICED_BY)]


def test_events_that_name_an_account_are_found_among_all_others(writer: Connection[Any]) -> None:
    codes = ["a-1", "a-11", "b-a-1", "a-2", "a-1"]
    append(writer, [stored(Event(uuid4(), 1, account_opened(code))) for code in codes])
    assert [entry.position for entry in read_log_naming(writer, codes=["a-1"], after=0)] == [1, 5]
    assert [entry.position for entry in read_log_naming(writer, codes=["a-2", "a-1"], after=1)] == [4, 5]
    assert read_log_naming(writer, codes=["a-1"], after=1, upto=4) == []
    assert read_log_naming(writer, codes=[], after=0) == []


def account_opened(code: str) -> AccountOpened:
    return AccountOpened(account=code, site="north", currency="CNY", recorded_at=MOVED_IN)


def test_two_gates_are_never_held_at_once(database: Database) -> None:
    inside, most, lock = 0, 0, threading.Lock()

    def hold(_: int) -> None:
        nonlocal inside, most
        with connected(database) as connection, gated(connection):
            with lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.02)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(hold, range(10)))
    assert most == 1


def test_a_gate_in_the_middle_of_a_transaction_is_refused(database: Database) -> None:
    """Its end would commit nothing and keep everybody else waiting."""
    with psycopg.connect(database.url("wattledger_writer")) as connection:
        connection.execute("SELECT 1")
        with pytest.raises(RuntimeError, match="its own transaction"), gated(connection):
            pass


def test_commits_are_durable_whatever_the_roles_default_says(database: Database) -> None:
    with connected(database, None) as owner:
        owner.execute(f"ALTER DATABASE {database.name} SET synchronous_commit = off")
    with connected(database) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("off",)
        with gated(connection) as gate:
            gate.cursor.execute("SHOW synchronous_commit")
            assert gate.cursor.fetchone() == ("on",)


def test_vacuum_neither_waits_for_a_held_gate_nor_keeps_writers_waiting(database: Database) -> None:
    with connected(database) as one, connected(database) as other, connected(database, None) as owner:
        append(one, debits(50))
        owner.execute("SET lock_timeout = '2s'")
        with gated(one) as gate:
            gate.append(debits(1))
            owner.execute("VACUUM ledger.events")
            owner.execute("VACUUM ledger.gate")
        _while_vacuum_holds_its_lock(database, lambda: append(other, debits(1)))
        assert len(positions(other)) == 52


def _while_vacuum_holds_its_lock(database: Database, write: Callable[[], object]) -> None:
    """VACUUM works under SHARE UPDATE EXCLUSIVE; held by hand, it stands for a VACUUM that takes long."""
    with psycopg.connect(database.url()) as owner:
        owner.execute("LOCK TABLE ledger.events IN SHARE UPDATE EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as thread:
            thread.submit(write).result(timeout=5)


@pytest.mark.parametrize("statement", LEDGER_TABLES)
@pytest.mark.parametrize("role", [None, "wattledger_writer", "wattledger_control"])
def test_no_event_is_ever_rewritten(database: Database, role: str | None, statement: str) -> None:
    with connected(database, role) as connection, connected(database) as writer:
        append(writer, debits(1))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        assert positions(writer) == [1]


def test_whoever_listens_is_woken_when_the_log_grows(database: Database) -> None:
    with connected(database) as writer, connected(database, "wattledger_projector") as reader:
        listen(reader)
        assert not await_news(reader, timeout_s=0.05)
        append(writer, debits(1))
        assert await_news(reader, timeout_s=10)


def test_an_event_of_a_newer_version_stops_a_reader_rather_than_being_passed_over(writer: Connection[Any]) -> None:
    append(writer, [StoredEvent(uuid4(), 1, "account.blessed/1", b"{}")])
    with pytest.raises(UnknownFact, match="a newer version wrote it"):
        read_log(writer, after=0)
