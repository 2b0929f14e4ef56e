"""What became of relay orders: recorded once in the relay's stream, whatever is repeated or unknown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import Connection

from ledger import wire
from ledger.domain.event import Event
from ledger.domain.relay import OrderConcluded, OrderIssued
from ledger.store.applied import Partition
from ledger.store.gate import gated
from ledger.store.heartbeats import last_heard, silent
from ledger.store.log import read_log
from ledger.store.mapper import stored
from ledger.values.identity import order_id, relay_stream
from streams import outbox
from streams.applier import Applier
from streams.message import Message
from streams.results import ResultsDraft, ResultsDrafter
from tests.services.postgres import Database
from tests.streams.direct import CLUSTER, connecting, now

AT = datetime(2026, 3, 1, tzinfo=UTC)
PARTITION = Partition(CLUSTER, wire.RELAY_RESULTS, 0)


def issue_order(
    database: Database, sequence: int, *, supply: str = "c1-1", lifetime: timedelta = timedelta(minutes=5)
) -> OrderIssued:
    """Append an order as `control` does."""
    fact = OrderIssued(
        supply=supply,
        order=order_id(supply=supply, sequence=sequence),
        sequence=sequence,
        action="open",
        reason="credit",
        concentrator="c1",
        meter=f"{supply}-m",
        account=f"{supply}-a",
        balance_micros=0,
        ledger_position=1,
        issued_at=now(),
        expires_at=now() + lifetime,
        signature="00",
        recorded_at=now(),
    )
    with connecting(database.url("wattledger_control"))() as connection, gated(connection) as gate:
        gate.append([stored(Event(relay_stream(supply), sequence, fact))])
    return fact


def _result(order: OrderIssued, outcome: wire.RelayOutcome = "confirmed", **changed: Any) -> wire.RelayResult:
    facts: dict[str, Any] = {"readback": "open", "at": AT, "order": order.order, **changed}
    return wire.RelayResult(
        supply=order.supply, meter=order.meter, concentrator=order.concentrator, outcome=outcome, **facts
    )


def _messages(*results: wire.RelayResult, first: int = 0) -> list[Message]:
    return [Message(PARTITION, first + n, b"c1", wire.encode(result), now()) for n, result in enumerate(results)]


@pytest.fixture
def applier(database: Database) -> Applier[ResultsDraft]:
    return Applier(connect=connecting(database.url("wattledger_writer")), drafter=ResultsDrafter(clock=now))


def _concluded(database: Database) -> list[tuple[int, str]]:
    with psycopg.connect(database.url()) as connection:
        facts = [entry.fact for entry in read_log(connection, after=0)]
    return [(fact.sequence, fact.outcome) for fact in facts if isinstance(fact, OrderConcluded)]


def test_a_result_that_is_repeated_is_recorded_once(database: Database, applier: Applier[ResultsDraft]) -> None:
    order = issue_order(database, 1)
    applier.apply(_messages(_result(order), _result(order)))
    applier.apply(_messages(_result(order, at=AT + timedelta(seconds=9)), first=2))
    assert _concluded(database) == [(1, "confirmed")]


def test_a_result_that_says_something_else_is_news(database: Database, applier: Applier[ResultsDraft]) -> None:
    order = issue_order(database, 1)
    applier.apply(_messages(_result(order, "failed", readback="unknown"), _result(order)))
    assert _concluded(database) == [(1, "failed"), (1, "confirmed")]


def test_a_result_of_an_order_nobody_gave_is_a_dead_letter(
    database: Database, applier: Applier[ResultsDraft]
) -> None:
    order = issue_order(database, 1)
    stranger = msgspec.structs.replace(_result(order), order=order_id(supply="c1-1", sequence=77))
    applier.apply(_messages(stranger, _result(order)))
    assert _concluded(database) == [(1, "confirmed")]
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute("SELECT message_offset, reason FROM ledger.dead_letters").fetchall()
    assert rows == [(0, "unknown-order")]


def test_a_heartbeat_is_a_row_that_the_newest_holds_and_who_falls_silent_is_seen(
    database: Database, applier: Applier[ResultsDraft]
) -> None:
    beat = wire.Heartbeat(
        collector="edge-1.a", concentrator="c1", at=AT, meters=30, failing=2, spool_sweeps=5, spool_oldest_s=60
    )
    anew = msgspec.structs.replace(beat, collector="edge-1.b", failing=1)
    said = [(beat, 0), (msgspec.structs.replace(beat, failing=3), 30), (anew, 60), (beat, 20)]
    messages = [
        Message(PARTITION, number, b"c1", wire.encode(one), AT + timedelta(seconds=after_s))
        for number, (one, after_s) in enumerate(said)
    ]
    applier.apply(messages[:3])
    applier.apply(messages[3:])
    with psycopg.connect(database.url("wattledger_finance")) as connection:
        (heard,) = last_heard(connection)
        assert (heard.collector, heard.failing, heard.heard_at) == ("edge-1.b", 1, AT + timedelta(seconds=60))
        assert heard.clock_ahead == timedelta(seconds=-60)
        minute = timedelta(minutes=1)
        assert silent(connection, now=AT + 2 * minute, after=minute) == []
        assert silent(connection, now=AT + 3 * minute, after=minute) == [heard]
        held = connection.execute("SELECT failing FROM ledger.heartbeats WHERE collector = 'edge-1.a'").fetchone()
        assert held == (3,)
    assert _concluded(database) == []


def test_an_order_is_sent_until_it_is_answered(database: Database, applier: Applier[ResultsDraft]) -> None:
    order = issue_order(database, 1)
    with connecting(database.url("wattledger_writer"))() as connection:
        assert _due(connection) == [order.order]
        assert _due(connection) == [order.order]
        outbox.mark_sent(connection, outbox.due_orders(connection, resend_after_s=0))
        assert _due(connection, resend_after_s=60) == []
        assert _due(connection) == [order.order]
        applier.apply(_messages(_result(order)))
        assert _due(connection) == []


def test_a_newer_order_takes_the_place_of_an_older_one_and_the_older_ones_result_does_not_end_it(
    database: Database, applier: Applier[ResultsDraft]
) -> None:
    older, newer = issue_order(database, 1), issue_order(database, 2)
    with connecting(database.url("wattledger_writer"))() as connection:
        assert _due(connection) == [newer.order]
        applier.apply(_messages(_result(older, "superseded")))
        assert _due(connection) == [newer.order]
        applier.apply(_messages(_result(newer), first=1))
        assert _due(connection) == []


def test_an_expired_order_is_never_sent(database: Database) -> None:
    issue_order(database, 1, lifetime=timedelta(seconds=-1))
    with connecting(database.url("wattledger_writer"))() as connection:
        assert _due(connection) == []


def test_an_order_is_sent_as_it_was_signed(database: Database) -> None:
    order = issue_order(database, 1)
    with connecting(database.url("wattledger_writer"))() as connection:
        outbox.take_in_news(connection)
        (command,) = outbox.due_orders(connection, resend_after_s=0)
    assert command == outbox.command_of(order)


def _due(connection: Connection[Any], *, resend_after_s: float = 0.0) -> list[object]:
    outbox.take_in_news(connection)
    return [command.order for command in outbox.due_orders(connection, resend_after_s=resend_after_s)]
