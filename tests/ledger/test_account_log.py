"""What was booked on accounts is found by their streams, and is what a look through everything finds."""

from collections.abc import Collection
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from ledger.store import account_log
from ledger.store.account_log import read_log_of
from ledger.store.application import Ledger
from ledger.store.gate import gated
from ledger.store.log import head_of, read_log_naming
from tests.ledger.till import Till

ACCOUNTS = ("a-1", "a-2", "a-11")


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens(*ACCOUNTS)
    for account in (*ACCOUNTS, *ACCOUNTS):
        till.uses(account, 3)
        till.tops_up(account, 5)
    return till


def posted(connection: Connection[Any], accounts: Collection[str], after: int, upto: int | None) -> list[int]:
    """Where money of the accounts moved, by a look through everything."""
    entries = read_log_naming(connection, codes=accounts, after=after, upto=upto)
    return [entry.position for entry in entries if getattr(entry.fact, "postings", ())]


@pytest.mark.parametrize("most_streams", [0, 1, 200])
@pytest.mark.parametrize("accounts", [(), ("a-1",), ("a-1", "a-11"), ACCOUNTS, ("nobody",)])
def test_it_is_what_a_look_through_everything_finds(
    till: Till, writer: Connection[Any], accounts: Collection[str], most_streams: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_log, "_MOST_STREAMS", most_streams)
    head, _ = head_of(writer)
    for after in range(head + 1):
        for upto in (None, head, head // 2):
            found = read_log_of(writer, accounts=accounts, after=after, upto=upto)
            money = [entry.position for entry in found if getattr(entry.fact, "postings", ())]
            assert money == posted(writer, accounts, after, upto)


def test_of_a_meter_no_more_is_read_than_came_since(writer: Connection[Any]) -> None:
    """However long its history: by the plan, a step back along the stream at a time."""
    events = [
        StoredEvent(stream, version, "meter.usage-debited/1", b"{}")
        for stream in (uuid4(), uuid4())
        for version in range(1, 1_001)
    ]
    with gated(writer) as gate:
        gate.append(events)
    span = {"after": 1_990, "upto": 2**62, "streams": [events[0].originator_id]}
    plan = "\n".join(line for (line,) in writer.execute(f"EXPLAIN {account_log._OF_METERS}", span))
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    assert plan.count("Index Scan") == 2
