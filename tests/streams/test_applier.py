"""The batch protocol on a real ledger, without Kafka: whatever goes wrong, the streams are those of a quiet run."""

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import cycle
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger import wire
from ledger.store.application import Ledger
from ledger.store.gate import Gate
from streams.applier import Applier, Stale
from streams.errors import StreamError
from streams.message import Message
from streams.priced import PricingDraft
from streams.pricing import PricingDrafter
from tests.estate import FLAT_TARIFF, add_supply
from tests.services.postgres import Database
from tests.streams.books import billed, check_books
from tests.streams.collector import until
from tests.streams.direct import connecting, message_of, messages_of_truth, now, pricing_applier
from tests.streams.proxy import Fate, Proxy
from tests.streams.truth import Truth, make_truth
from tests.streams.twins import SUPPLIES, TRUTH, beside, check, deliveries, url_of


def _drain(applier: Applier[PricingDraft], messages: Sequence[Message]) -> None:
    applier.apply(messages)
    assert applier.behind(messages) == {}


def test_a_worker_alone_prices_each_batch_once(estate: Database) -> None:
    prepared: list[int] = []

    class Counting(PricingDrafter):
        def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
            prepared.append(len(messages))
            return super().prepare(connection, messages)

    applier = pricing_applier(url_of(estate), Counting(clock=now))
    messages = messages_of_truth(TRUTH)
    for start in range(0, 36, 12):
        applier.apply(messages[start : start + 12])
    assert prepared == [12, 12, 12]


@pytest.mark.parametrize("seed", range(4))
def test_redelivery_gaps_and_two_appliers_on_the_same_partitions_change_nothing(
    estate: Database, quiet: Database, seed: int
) -> None:
    chance = random.Random(seed)
    appliers = [pricing_applier(url_of(estate)), pricing_applier(url_of(estate))]
    for batch in deliveries(messages_of_truth(TRUTH), chance):
        applier = chance.choice(appliers)
        if chance.random() < 0.1:
            applier.relearn()
        applier.apply(batch)
        for partition, offset in applier.behind(batch).items():
            assert offset == (applier.reached(partition) or 0) + 1 or offset == 0
    _drain(appliers[0], messages_of_truth(TRUTH))
    check(estate, quiet)
    assert beside(estate) == beside(quiet)


@pytest.mark.parametrize("seed", range(3))
def test_commits_cut_at_any_point_change_nothing(estate: Database, quiet: Database, seed: int) -> None:
    chance = random.Random(seed)
    fates: Iterator[Fate] = cycle(("cut-before", "reply-lost", "cut-at-once"))

    def choices() -> Iterator[Fate]:
        while True:
            yield next(fates) if chance.random() < 0.4 else "passes"

    with Proxy(estate.server, choices()) as proxy:
        first = pricing_applier(proxy.url(estate.name, "wattledger_writer"))
        second = pricing_applier(url_of(estate))
        for batch in deliveries(messages_of_truth(TRUTH), chance):
            (first if chance.random() < 0.8 else second).apply(batch)
        _drain(first, messages_of_truth(TRUTH))
    assert set(proxy.met) == {"passes", "cut-before", "reply-lost", "cut-at-once"}
    check(estate, quiet)
    assert beside(estate) == beside(quiet)


def test_a_batch_is_taken_up_to_its_gap_and_says_where_to_read_again(estate: Database) -> None:
    applier = pricing_applier(url_of(estate))
    messages = [message for message in messages_of_truth(TRUTH) if message.key == b"c1"]
    draft = applier.apply([*messages[:3], *messages[5:]])
    assert draft is not None
    assert [ack.sequence for ack in draft.acks] == [3]
    assert applier.behind(messages[5:]) == {messages[0].partition: 3}
    assert applier.apply(messages[5:]) is None
    _drain(applier, messages[3:])


def test_what_was_applied_is_not_applied_again(estate: Database) -> None:
    messages = messages_of_truth(TRUTH)
    pricing_applier(url_of(estate)).apply(messages)
    before = billed(estate.url())
    assert pricing_applier(url_of(estate)).apply(messages) is None
    assert billed(estate.url()) == before


def test_a_sweep_published_again_at_a_new_offset_is_counted_and_acknowledged_but_not_billed(
    estate: Database, quiet: Database
) -> None:
    messages = messages_of_truth(TRUTH)
    applier = pricing_applier(url_of(estate))
    applier.apply(messages)
    again = [_moved(message, by=12) for message in messages]
    draft = applier.apply(again)
    assert draft is not None
    assert {(ack.concentrator, ack.sequence) for ack in draft.acks} == {("c1", 12), ("c2", 12), ("c3", 12)}
    assert draft.debits == 0
    with psycopg.connect(estate.url()) as connection:
        assert connection.execute("SELECT sum(duplicates) FROM ledger.sweeps").fetchone() == (36,)
    check(estate, quiet)


def test_a_sweep_before_whose_turn_it_is_waits_and_the_collector_is_told_where_the_ledger_is(
    estate: Database, quiet: Database
) -> None:
    """The first sweep was lost: an acknowledgement of 0 makes the collector go back."""
    third = messages_of_truth(TRUTH)[6]
    applier = pricing_applier(url_of(estate))
    draft = applier.apply([_moved(third, by=-2)])
    assert draft is not None
    assert [wire.decode_ack(wire.encode(ack)).sequence for ack in draft.acks] == [0]
    applier.apply([_moved(message, by=1 if message.key == b"c1" else 0) for message in messages_of_truth(TRUTH)])
    check(estate, quiet)


def _moved(message: Message, *, by: int) -> Message:
    return Message(message.partition, message.offset + by, message.key, message.value, message.published_at)


def test_a_price_published_while_a_batch_is_priced_counts_in_it(estate: Database) -> None:
    """The batch was priced before the change was committed, but commits after it: it must be priced again."""
    dearer = FLAT_TARIFF.replace("0.617", "1.234")
    changed: list[int] = []

    class Racing(PricingDrafter):
        def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
            draft = super().prepare(connection, messages)
            if not changed:
                changed.append(_publish(estate, dearer))
            return draft

    applier = pricing_applier(url_of(estate), Racing(clock=now))
    draft = applier.apply(messages_of_truth(TRUTH))
    assert draft is not None
    assert {line.version for event in draft.domain.events for line in event.fact.lines} == {2}
    cost = billed(estate.url())["c1-1"]
    assert cost.amounts["energy"] == pytest.approx(TRUTH.cost_of("c1-1").amounts["energy"] * 2, abs=2)


def _publish(database: Database, text: str) -> int:
    from ledger.usecases.tariffs import publish_tariff

    ledger = Ledger(url=url_of(database))
    effective = TRUTH.opened_at - timedelta(hours=1)
    version = publish_tariff(ledger, text=text, effective_from=effective, note="test", now=now())
    ledger.close()
    return version


def test_a_supply_registered_while_a_batch_is_priced_is_billed_in_it(estate: Database) -> None:
    truth = make_truth({"c9": ["c9-1-m"]}, sweeps=3)
    registered: list[str] = []

    class Racing(PricingDrafter):
        def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
            draft = super().prepare(connection, messages)
            if not registered:
                registered.append(_register(estate, "c9-1", "c9", truth))
            return draft

    applier = pricing_applier(url_of(estate), Racing(clock=now))
    draft = applier.apply(messages_of_truth(truth))
    assert draft is not None
    assert draft.strays == []
    assert billed(estate.url())["c9-1"] == truth.cost_of("c9-1")


def _register(database: Database, supply: str, concentrator: str, truth: Truth) -> str:
    ledger = Ledger(url=url_of(database))
    add_supply(
        ledger,
        supply=supply,
        concentrator=concentrator,
        opened_at=truth.opened_at,
        max_power_w=100_000_000,
        now=now(),
    )
    ledger.close()
    return supply


def test_control_changes_faster_than_a_batch_is_priced_cannot_keep_it_from_being_billed(
    estate: Database, quiet: Database
) -> None:
    """Someone registers supply points in bulk: after a few refusals the batch is priced inside the gate."""
    refused: list[Stale] = []
    in_gate: list[bool] = []

    class Overtaken(PricingDrafter):
        def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
            draft = super().prepare(connection, messages)
            in_gate.append(connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS)
            if not in_gate[-1]:
                _publish(estate, FLAT_TARIFF)
            return draft

        def append(self, gate: Gate, draft: PricingDraft) -> None:
            try:
                super().append(gate, draft)
            except Stale as stale:
                refused.append(stale)
                raise

    assert pricing_applier(url_of(estate), Overtaken(clock=now)).apply(messages_of_truth(TRUTH)) is not None
    assert in_gate == [False, False, False, True]
    assert len(refused) == 3
    check_books(estate.url(), TRUTH, supplies=SUPPLIES)


def test_a_batch_that_can_never_be_applied_ends_the_worker_with_its_reason(estate: Database) -> None:
    class Hopeless(PricingDrafter):
        def append(self, gate: Gate, draft: PricingDraft) -> None:
            raise Stale("never")

    with pytest.raises(StreamError, match="refused 50 times"):
        pricing_applier(url_of(estate), Hopeless(clock=now)).apply(messages_of_truth(TRUTH)[:1])


def test_an_unexpected_error_in_the_gate_leaves_nothing_behind(estate: Database, quiet: Database) -> None:
    class Broken(PricingDrafter):
        def append(self, gate: Gate, draft: PricingDraft) -> None:
            super().append(gate, draft)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pricing_applier(url_of(estate), Broken(clock=now)).apply(messages_of_truth(TRUTH))
    assert billed(estate.url()) == {}
    pricing_applier(url_of(estate)).apply(messages_of_truth(TRUTH))
    check(estate, quiet)


def test_a_server_that_ends_every_connection_in_mid_batch_changes_nothing(estate: Database, quiet: Database) -> None:
    ended: list[int] = []

    class Interrupted(PricingDrafter):
        def append(self, gate: Gate, draft: PricingDraft) -> None:
            super().append(gate, draft)
            if len(ended) < 3:
                ended.append(gate.cursor.connection.info.backend_pid)
                with psycopg.connect(estate.url(), autocommit=True) as owner:
                    owner.execute("SELECT pg_terminate_backend(%s)", [ended[-1]])
                until(lambda: not _is_connected(estate, ended[-1]))

    applier = pricing_applier(url_of(estate), Interrupted(clock=now))
    messages = messages_of_truth(TRUTH)
    applier.apply(messages[:20])
    applier.apply(messages[20:])
    assert len(set(ended)) == 3
    check(estate, quiet)


def _is_connected(database: Database, pid: int) -> bool:
    with psycopg.connect(database.url()) as owner:
        return owner.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is not None


def test_messages_that_cannot_be_applied_are_kept_with_their_reason_and_billing_goes_on(estate: Database) -> None:
    sweep = messages_of_truth(TRUTH)[0]
    assert sweep.value is not None
    partition = sweep.partition
    values = [b"\xff not json", sweep.value.replace(b'"schema":1', b'"schema":99'), b'{"schema":1,"kind":"sweep"}']
    bad = [message_of(partition, offset, value) for offset, value in enumerate(values)]
    bad.append(Message(partition, 3, b"c2", sweep.value, now()))
    bad.append(Message(partition, 4, None, None, now()))
    bad.append(message_of(partition, 5, b'{"schema":1,"kind":"sw\\u0000eep"}'))
    draft = pricing_applier(url_of(estate)).apply([*bad, _moved(sweep, by=6)])
    assert draft is not None
    assert draft.readings == 2
    with psycopg.connect(estate.url()) as connection:
        rows = connection.execute(
            "SELECT message_offset, reason, payload FROM ledger.dead_letters ORDER BY 1"
        ).fetchall()
    assert [row[:2] for row in rows] == [
        (0, "unreadable"),
        (1, "unknown-schema"),
        (2, "malformed"),
        (3, "wrong-key"),
        (4, "unreadable"),
        (5, "malformed"),
    ]
    assert rows[0][2] == values[0]


def test_the_connection_is_opened_again_however_often_it_cannot_be(estate: Database) -> None:
    attempts: list[int] = []
    connect = connecting(url_of(estate))

    def reluctant() -> Connection[Any]:
        attempts.append(1)
        if len(attempts) in (2, 3):
            raise psycopg.OperationalError("nobody there")
        return connect()

    applier: Applier[PricingDraft] = Applier(connect=reluctant, drafter=PricingDrafter(clock=now))
    messages = messages_of_truth(TRUTH)
    applier.apply(messages[:5])
    with psycopg.connect(estate.url(), autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wattledger_writer'")
    applier.apply(messages[5:])
    assert len(attempts) == 4
    check_books(estate.url(), TRUTH, supplies=SUPPLIES)
