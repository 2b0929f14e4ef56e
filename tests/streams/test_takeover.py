"""Workers come, stop and go while partitions move between them: nothing is lost and nothing doubled."""

import time
from pathlib import Path

import psutil
import pytest

from tests.services.broker import KafkaBroker, restart_broker
from tests.services.postgres import Database, resume, stall
from tests.streams.collector import until
from tests.streams.conftest import Campaign, make_campaign

pytestmark = pytest.mark.kafka


def test_a_worker_stopped_in_the_gate_past_its_session_and_resumed_doubles_nothing(campaign: Campaign) -> None:
    with campaign.worker("w1", sabotage=("stop-in-gate", "3")) as first, campaign.collector(made=40) as collector:
        until(lambda: psutil.Process(first.running.pid).status() == psutil.STATUS_STOPPED)
        before = collector.acknowledged
        with campaign.worker("w2") as second:
            collector.wait_for_made()
            assert before < collector.acknowledged
            first.go_on()
            collector.make(60)
            collector.wait_for()
            assert second.running.poll() is None
    campaign.check()


def test_a_third_worker_joining_one_killed_and_the_broker_killed_lose_nothing(campaign: Campaign) -> None:
    """The embedded broker comes back empty and as another cluster, Apache Kafka on the log that it left."""
    with (
        campaign.worker("w1") as first,
        campaign.worker("w2") as second,
        campaign.worker("w3") as third,
        campaign.collector(made=15) as collector,
    ):
        third.kill()
        collector.wait_for_made()
        third.restart()
        third.wait_until_said("Joined group")
        collector.make(35)
        collector.wait_for_made()
        first.kill()
        before = collector.acknowledged
        collector.make(60)
        collector.wait_for(before + 20)
        second.supervise()
        third.supervise()
        assert collector.acknowledged < collector.total
        restart_broker(campaign.broker)
        campaign.create_topics()
        collector.wait_for(timeout_s=120)
    campaign.check()


def test_postgresql_stalled_through_a_rebalance_loses_nothing(
    own_database: Database, twin_database: Database, own_broker: KafkaBroker, tmp_path: Path
) -> None:
    campaign = make_campaign(own_database, twin_database, own_broker, tmp_path)
    with campaign.worker("w1") as first, campaign.collector(made=10) as collector:
        collector.wait_for_made()
        stall(own_database.server)
        collector.make(60)
        with campaign.worker("w2") as second:
            second.wait_until_said("Joined group")
            time.sleep(2)  # both ask for their positions, and nobody answers
            assert not second.said("Worker ready")
            resume(own_database.server)
            second.wait_until_said("Worker ready")
            collector.wait_for()
            assert first.running.poll() is None
            assert second.running.poll() is None
    campaign.check()
