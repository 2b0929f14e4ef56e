"""Comparing the ledger with the truth, to the milliwatt-hour and the micro-unit."""

from typing import Any

import msgspec
import psycopg

from ledger.domain.event import Posting
from ledger.domain.meter import UsageDebited
from ledger.store.account_log import read_log_of
from ledger.store.log import Logged, read_log
from ledger.values.identity import meter_stream
from tests.streams.truth import COLLECTOR, Cost, Truth

# Where and when a message came in differs between two runs; nothing else may.
_OF_THE_RUN = ("partition", "message_offset", "published_at")


def billed(url: str) -> dict[str, Cost]:
    """What each supply was billed, from its debits."""
    costs: dict[str, Cost] = {}
    with psycopg.connect(url) as connection:
        for entry in read_log(connection, after=0, limit=1_000_000):
            fact = entry.fact
            if isinstance(fact, UsageDebited):
                before = costs.get(fact.supply, Cost())
                amounts = dict(before.amounts)
                for line in fact.lines:
                    amounts[line.component] = amounts.get(line.component, 0) + line.amount_micros
                costs[fact.supply] = Cost(before.energy_milliwh + fact.usage_milliwh, amounts)
    return costs


def check_books(url: str, truth: Truth, *, supplies: list[str]) -> None:
    """Check that every supply is billed what its registers say, once, and that the books balance."""
    costs = billed(url)
    for supply in supplies:
        assert costs[supply] == truth.cost_of(supply), supply
    assert set(costs) == set(supplies)
    check_ledger(url)
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT concentrator, sequence FROM ledger.sweeps WHERE collector = %s", [COLLECTOR]
        )
        assert dict(rows.fetchall()) == {name: len(sweeps) for name, sweeps in truth.sweeps.items()}


def check_ledger(url: str) -> None:
    """Check what must hold of any ledger: gapless streams and positions, and a trial balance of zero."""
    with psycopg.connect(url) as connection:
        streams = "SELECT originator_id FROM ledger.events GROUP BY 1 HAVING count(*) <> max(originator_version)"
        assert connection.execute(streams).fetchall() == []
        head = "SELECT head, (SELECT count(*) FROM ledger.events) FROM ledger.gate"
        row = connection.execute(head).fetchone()
        assert row is not None
        assert row[0] == row[1]
        posted: dict[str, list[int]] = {}
        for entry in read_log(connection, after=0, limit=1_000_000):
            postings: list[Posting] = getattr(entry.fact, "postings", [])
            assert sum(posting.amount_micros for posting in postings) == 0
            for account in {posting.account for posting in postings} - {""}:
                posted.setdefault(account, []).append(entry.position)
        for account, positions in posted.items():
            for after in {0, positions[0], row[0] // 2, positions[-1] - 1}:
                found = read_log_of(connection, accounts=[account], after=after)
                assert [entry.position for entry in found if _posts_to(account, entry)] == [
                    position for position in positions if position > after
                ]


def _posts_to(account: str, entry: Logged) -> bool:
    postings: list[Posting] = getattr(entry.fact, "postings", [])
    return any(posting.account == account for posting in postings)


def meter_histories(url: str, supplies: list[str]) -> dict[str, list[Any]]:
    """Every meter stream as JSON, less recorded times and what Kafka alone decides."""
    histories: dict[str, list[Any]] = {}
    with psycopg.connect(url) as connection:
        for supply in supplies:
            rows = connection.execute(
                "SELECT originator_version, topic, state FROM ledger.events WHERE originator_id = %s"
                " ORDER BY originator_version",
                [meter_stream(supply)],
            )
            histories[supply] = [(version, topic, _less_the_run(bytes(state))) for version, topic, state in rows]
    return histories


def _less_the_run(state: bytes) -> Any:
    fact = msgspec.json.decode(state)
    fact.pop("recorded_at")
    for name in _OF_THE_RUN:
        fact["source"].pop(name)
    return fact
