"""The worker ends in mid-run, at every kind of instant; started again, it loses nothing and doubles nothing."""

import pytest

from tests.streams.books import billed
from tests.streams.conftest import Campaign

pytestmark = pytest.mark.kafka


def test_kill_9_anywhere_loses_and_doubles_nothing(campaign: Campaign) -> None:
    with campaign.worker(sabotage=("kill-in-gate", "4")) as worker, campaign.collector() as collector:
        assert worker.wait_for_exit() == -9
        worker.restart("kill-after-commit", "5")
        assert worker.wait_for_exit() == -9
        worker.restart()
        collector.wait_for(100)
        worker.kill()
        assert collector.acknowledged < collector.total
        worker.restart()
        collector.wait_for()
        assert worker.terminate() == 0
    campaign.check()


def test_an_exception_in_the_agent_ends_the_process_and_loses_nothing(campaign: Campaign) -> None:
    with campaign.worker(sabotage=("raise-in-agent", "5")) as worker, campaign.collector() as collector:
        assert worker.wait_for_exit() == 70
        assert worker.said("the worker cannot go on and ends")
        assert worker.said("a mistake made for a test")
        assert len(billed(campaign.database.url())) > 0
        assert collector.acknowledged < collector.total
        worker.restart()
        collector.wait_for()
        assert worker.running.poll() is None
    campaign.check()
