"""One batch prepared while another is committed, on a real ledger: whatever goes wrong, nothing shows it."""

import random
import threading
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.store.gate import Gate
from streams.applier import Applier, Stale
from streams.message import Message
from streams.pipeline import Pipeline
from streams.priced import PricingDraft
from streams.pricing import PricingDrafter
from tests.services.postgres import Database
from tests.streams.books import billed, check_books
from tests.streams.collector import until
from tests.streams.direct import connecting, messages_of_truth, now
from tests.streams.proxy import Fate, Proxy
from tests.streams.twins import SUPPLIES, TRUTH, beside, check, deliveries, url_of


class Run:
    """A pipeline with what it told."""

    def __init__(self, url: str, drafter: PricingDrafter | None = None) -> None:
        self.committed: list[PricingDraft] = []
        self.failures = 0
        self.applier: Applier[PricingDraft] = Applier(
            connect=connecting(url), drafter=drafter or PricingDrafter(clock=now)
        )
        self.pipeline = Pipeline(
            self.applier, connect=connecting(url), committed=self.committed.append, failed=self._failed
        )

    def _failed(self) -> None:
        self.failures += 1

    def acknowledged(self) -> dict[str, int]:
        return {ack.concentrator: ack.sequence for draft in self.committed for ack in draft.acks}


@pytest.mark.parametrize("seed", range(4))
def test_two_pipelines_on_the_same_partitions_change_nothing(
    estate: Database,
    quiet: Database,
    seed: int,
) -> None:
    chance = random.Random(seed)
    runs = [Run(url_of(estate)), Run(url_of(estate))]
    for batch in deliveries(messages_of_truth(TRUTH), chance):
        run = chance.choice(runs)
        if chance.random() < 0.1:
            run.applier.relearn()
        run.pipeline.apply(batch)
    runs[0].pipeline.apply(messages_of_truth(TRUTH))
    for run in runs:
        run.pipeline.close()
    check(estate, quiet)
    assert beside(estate) == beside(quiet)


@pytest.mark.parametrize("seed", range(3))
def test_commits_in_flight_that_are_cut_change_nothing(
    estate: Database,
    quiet: Database,
    seed: int,
) -> None:
    chance = random.Random(seed)
    fates: Iterator[Fate] = cycle(("cut-before", "reply-lost", "cut-at-once"))

    def choices() -> Iterator[Fate]:
        while True:
            yield next(fates) if chance.random() < 0.4 else "passes"

    with Proxy(estate.server, choices()) as proxy:
        run = Run(proxy.url(estate.name, "wattledger_writer"))
        other = Run(url_of(estate))
        for batch in deliveries(messages_of_truth(TRUTH), chance):
            (run if chance.random() < 0.8 else other).pipeline.apply(batch)
        run.pipeline.apply(messages_of_truth(TRUTH))
        run.pipeline.close()
        other.pipeline.close()
    assert set(proxy.met) == {"passes", "cut-before", "reply-lost", "cut-at-once"}
    check(estate, quiet)
    assert beside(estate) == beside(quiet)


def test_a_batch_is_prepared_while_the_one_before_it_is_still_in_the_gate(
    estate: Database,
    quiet: Database,
) -> None:
    may_commit, prepared = threading.Event(), []

    class Slow(PricingDrafter):
        def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> PricingDraft:
            draft = super().prepare(connection, messages)
            prepared.append(len(messages))
            if len(prepared) == 2:
                may_commit.set()
            return draft

        def append(self, gate: Gate, draft: PricingDraft) -> None:
            assert may_commit.wait(20)
            super().append(gate, draft)

    run = Run(url_of(estate), Slow(clock=now))
    messages = messages_of_truth(TRUTH)
    run.pipeline.apply(messages[:6])
    run.pipeline.apply(messages[6:])
    run.pipeline.close()
    assert prepared == [6, 30]
    assert run.acknowledged() == {"c1": 12, "c2": 12, "c3": 12}
    check(estate, quiet)


def test_what_was_prepared_on_a_batch_that_was_overtaken_is_priced_again(
    estate: Database,
    quiet: Database,
) -> None:
    refused: list[int] = []

    class Overtaken(PricingDrafter):
        def append(self, gate: Gate, draft: PricingDraft) -> None:
            if len(refused) < 2:
                refused.append(draft.readings)
                raise Stale("supply points have changed")
            super().append(gate, draft)

    run = Run(url_of(estate), Overtaken(clock=now))
    messages = messages_of_truth(TRUTH)
    for start in range(0, len(messages), 6):
        run.pipeline.apply(messages[start : start + 6])
    run.pipeline.close()
    assert refused == [12, 12]
    assert run.failures == 1
    assert len(run.committed) == 6
    check(estate, quiet)


def test_the_last_batch_lands_without_another_one_coming(estate: Database) -> None:
    run = Run(url_of(estate))
    run.pipeline.apply(messages_of_truth(TRUTH))
    until(lambda: run.acknowledged() == {"c1": 12, "c2": 12, "c3": 12})
    check_books(estate.url(), TRUTH, supplies=SUPPLIES)
    run.pipeline.close()


def test_a_connection_lost_in_flight_is_found_out_and_said(estate: Database, quiet: Database) -> None:
    class Interrupted(PricingDrafter):
        ended = False

        def append(self, gate: Gate, draft: PricingDraft) -> None:
            super().append(gate, draft)
            if not self.ended:
                self.ended = True
                with psycopg.connect(estate.url(), autocommit=True) as owner:
                    owner.execute("SELECT pg_terminate_backend(%s)", [gate.cursor.connection.info.backend_pid])

    run = Run(url_of(estate), Interrupted(clock=now))
    run.pipeline.apply(messages_of_truth(TRUTH))
    until(lambda: run.failures == 1)
    assert run.pipeline.land() is False
    assert billed(estate.url()) != {}
    run.pipeline.close()
    check(estate, quiet)


def test_an_error_that_nobody_expected_comes_out_where_the_worker_can_end(estate: Database) -> None:
    class Broken(PricingDrafter):
        def append(self, gate: Gate, draft: PricingDraft) -> None:
            raise ZeroDivisionError

    run = Run(url_of(estate), Broken(clock=now))
    run.pipeline.apply(messages_of_truth(TRUTH))
    with pytest.raises(ZeroDivisionError):
        run.pipeline.land()
    assert run.committed == []
    assert billed(estate.url()) == {}
