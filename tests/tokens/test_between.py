"""What comes between a token's decision and its booking: another tariff, another sale, a lost database, a kill."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from console.tokens.issued import token_at
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.store.standing import Standing
from ledger.usecases.accounts import top_up
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import By
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.undoing import ReverseTopUp
from ledger.usecases.supply_life import remove_meter
from ledger.usecases.tariffs import publish_tariff
from ledger.usecases.tokens.issuing import issue_token
from ledger.values.errors import Refused
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.tokens.conftest import DAY, KEY, SECRETS, Room
from tests.tokens.meter import TokenMeter

DEARER = FLAT_TARIFF.replace("0.617", "1.234")
LATER = MOVED_IN + 2 * DAY


class Overtaken(Ledger):
    """A ledger in which something happens once, after the prices are read and before anything is booked."""

    happens: Callable[[], object] | None = None

    def standing(self, accounts: Collection[str]) -> Standing:
        happens, self.happens = self.happens, None
        standing = super().standing(accounts)
        if happens is not None:
            happens()
        return standing


@pytest.fixture
def overtaken(room: Room) -> Iterator[Overtaken]:
    room.pay(10_000_000)
    with Overtaken(url=room.database.url("wattledger_writer")) as ledger:
        yield ledger


def sell(ledger: Ledger, amount_micros: int, *, now: datetime = LATER) -> Booked:
    return issue_token(ledger, supply="room-1", amount_micros=amount_micros, operator="ana", key="k1", now=now)


def test_a_tariff_that_was_published_meanwhile_prices_the_token(overtaken: Overtaken, room: Room) -> None:
    overtaken.happens = lambda: publish_tariff(
        room.ledger, text=DEARER, effective_from=MOVED_IN + DAY, note="dearer", now=MOVED_IN
    )
    sell(overtaken, 5_000_000)
    (fact,) = room.facts("meter.energy-vended/1")
    assert {line["version"] for line in fact["lines"]} == {2}


def test_money_that_was_taken_back_meanwhile_buys_nothing(overtaken: Overtaken, room: Room) -> None:
    paid = top_up(room.ledger, account="room-1-a", amount_micros=5_000_000, channel="kiosk", key="p", now=MOVED_IN)
    by = By(operator="ana", reason="wrong", key="r", now=MOVED_IN)
    overtaken.happens = lambda: carry_out(room.ledger, ReverseTopUp(top_up_position=paid.position), by=by)
    with pytest.raises(Refused, match=r"has 10\.00, less than 12\.00"):
        sell(overtaken, 12_000_000)
    assert room.facts("meter.energy-vended/1") == []


def test_what_was_sold_meanwhile_is_not_sold_again(overtaken: Overtaken, room: Room) -> None:
    overtaken.happens = lambda: room.issue("other", 6_000_000)
    with pytest.raises(Refused, match=r"less than 5\.00; top it up first"):
        sell(overtaken, 5_000_000)
    assert [fact["count"] for fact in room.facts("meter.energy-vended/1")] == [2]


def test_a_meter_that_was_removed_meanwhile_is_sold_nothing(overtaken: Overtaken, room: Room) -> None:
    at = MOVED_IN + DAY
    overtaken.happens = lambda: remove_meter(room.ledger, supply="room-1", at=at, closing_milliwh=101_000_000, now=at)
    with pytest.raises(Refused, match="its meter was removed"):
        sell(overtaken, 5_000_000)
    assert room.facts("meter.energy-vended/1") == []


def test_a_database_that_was_lost_meanwhile_has_sold_once_when_it_is_asked_again(
    overtaken: Overtaken, room: Room
) -> None:
    overtaken.happens = lambda: lost(room)
    with pytest.raises(OperationalError):
        sell(overtaken, 5_000_000)
    assert room.facts("meter.energy-vended/1") == []
    with Ledger(url=room.database.url("wattledger_writer")) as afterwards:
        booked = sell(afterwards, 5_000_000)
        assert sell(afterwards, 5_000_000) == Booked(booked.position, is_repeat=True)
    assert len(room.facts("meter.energy-vended/1")) == 1


def lost(room: Room) -> None:
    with psycopg.connect(room.database.url(), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = 'wattledger_writer'"
        )


SELLER = """
import sys
from datetime import UTC, datetime
from itertools import count
from ledger.store.application import Ledger
from ledger.usecases.tokens.issuing import issue_token
url, turn = sys.argv[1:]
with Ledger(url=url) as ledger:
    for number in count():
        issue_token(ledger, supply="room-1", amount_micros=100_000, operator="ana", key=f"{turn}-{number}",
            now=datetime.now(UTC))
"""


def test_sellers_of_the_same_keys_that_are_killed_sell_each_once_and_all_digits_add(room: Room) -> None:
    """Two at a time race for every key; what was asked for last is asked for again after the kill."""
    room.pay(900_000_000)
    chance, url = random.Random(7), room.database.url("wattledger_writer")
    again: list[Booked] = []
    with psycopg.connect(url, autocommit=True) as writer:
        for turn in range(2):
            before, _ = head_of(writer)
            command = [sys.executable, "-c", SELLER, url, str(turn)]
            sellers = [subprocess.Popen(command, env=os.environ) for _ in range(2)]
            deadline = time.monotonic() + 30
            while head_of(writer)[0] < before + 6 and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.05))
            for seller in sellers:
                seller.send_signal(signal.SIGKILL)
                seller.wait()
            again += [room.booked(f"{turn}-{number}", 100_000, days=999) for number in range(3)]
    assert all(booked.is_repeat for booked in again)
    facts: list[dict[str, Any]] = room.facts("meter.energy-vended/1")
    assert len(facts) >= 12
    assert len({fact["key_hash"] for fact in facts}) == len(facts)
    assert [fact["count"] for fact in facts] == [2 * number for number in range(1, len(facts) + 1)]
    days = sum(fact["amount_micros"] for fact in room.facts("meter.time-charge-debited/1"))
    assert room.balance_micros == 900_000_000 - days - sum(fact["amount_micros"] for fact in facts)
    meter = TokenMeter(SECRETS)
    for position in positions(room):
        token = token_at(room.ledger, room.devices, position=position, key=KEY)
        assert meter.enter(token.digits) == "added"
    assert meter.credit == sum(fact["units"] for fact in facts)


def positions(room: Room) -> list[int]:
    with psycopg.connect(room.database.url("wattledger_finance")) as connection:
        rows = connection.execute(
            "SELECT notification_id FROM ledger.events WHERE topic = 'meter.energy-vended/1' ORDER BY 1"
        ).fetchall()
    return [row[0] for row in rows]
