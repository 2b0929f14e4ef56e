"""Between a top-up with consent and the relay's read-back, any process may be killed: once booked, and lit again."""

import os
import random
import signal
import time

import pytest

from benchmarks.dark_estate import DarkEstate, await_that, dark_estate

IS_LONG = os.environ.get("WATTLEDGER_HYPOTHESIS") == "long"
INSTANTS = 100 if IS_LONG else 4
ROLES = ("control", "project", "price", "collect")


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(7200 if IS_LONG else 400)
def test_a_process_killed_between_top_up_and_read_back_leaves_it_booked_once_and_lit() -> None:
    chance = random.Random(20_261_122)
    with dark_estate(concentrators=2, meters_each=INSTANTS // 2, is_slow=False) as estate:
        for number, supply in enumerate(estate.supplies):
            role = ROLES[number % len(ROLES)]
            estate.top_up(supply)
            time.sleep(chance.uniform(0, 0.6))
            _kill(estate, role)
            # Whoever paid asks again, under the same key: it is the same top-up.
            estate.top_up(supply)
            _start(estate, role)
            estate.await_on(supply)
        topped_up = "SELECT count(*) FROM ledger.events WHERE topic = 'account.credited/1'"
        assert estate.bench.number(topped_up) == len(estate.supplies)
        balance = "SELECT count(*) FROM projections.balances WHERE balance = 5"
        await_that("balances to be told", lambda: estate.bench.number(balance) == len(estate.supplies))
        still_off = "SELECT count(*) FROM projections.relay WHERE actual <> 'closed' OR cardinality(locks) > 0"
        assert estate.bench.number(still_off) == 0


def _kill(estate: DarkEstate, role: str) -> None:
    os.kill(estate.bench.stack.supervisor.pid_of(role), signal.SIGKILL)
    estate.bench.stack.stop_role(role)


def _start(estate: DarkEstate, role: str) -> None:
    if role == "collect":
        estate.start_collector()
    else:
        estate.bench.start(role)
