"""Answers that never come: COMMITs whose reply is lost, offsets that are skipped, a broker that comes back empty."""

import itertools
import random
from collections.abc import Iterator

import pytest

from tests.streams.conftest import Campaign
from tests.streams.proxy import Fate, Proxy

pytestmark = pytest.mark.kafka


def _fates(seed: int) -> Iterator[Fate]:
    chance = random.Random(seed)
    fates: tuple[Fate, ...] = ("cut-before", "reply-lost", "cut-at-once")
    for _ in itertools.count():
        yield chance.choice(fates) if chance.random() < 0.2 else "passes"


def test_a_commit_whose_reply_is_lost_is_neither_repeated_nor_given_up(campaign: Campaign) -> None:
    with Proxy(campaign.database.server, _fates(seed=7)) as proxy:
        url = proxy.url(campaign.database.name, "wattledger_writer")
        with campaign.worker(url=url) as worker, campaign.collector() as collector:
            collector.wait_for()
            assert worker.running.poll() is None
            assert worker.said("a commit's reply was lost")
    assert {"cut-before", "reply-lost", "cut-at-once"} <= set(proxy.met)
    campaign.check()


def test_messages_lost_on_their_way_to_the_agent_are_read_again(campaign: Campaign) -> None:
    with campaign.worker(sabotage=("lose-messages", "4")) as worker, campaign.collector() as collector:
        collector.wait_for()
        assert worker.said("SABOTAGE: two messages lost")
        assert worker.said("offsets were skipped; reading again")
        assert worker.running.poll() is None
    campaign.check()


def test_a_broker_that_comes_back_empty_loses_nothing(campaign: Campaign) -> None:
    with campaign.worker() as worker, campaign.collector(made=25) as collector:
        worker.supervise()
        collector.wait_for(30)
        campaign.broker.restart_empty()
        campaign.create_topics()
        collector.make(60)
        collector.wait_for(timeout_s=120)
    campaign.check()
