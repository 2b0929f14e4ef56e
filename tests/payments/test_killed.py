"""`serve` and `payments` killed between a webhook and the ledger: the provider delivers again, and credits once.

WATTLEDGER_PAYMENT_KILLS seeded instants (a few, unless said) from WATTLEDGER_PAYMENT_SEED on; `make test-payments`.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import psutil
import psycopg
import pytest
import requests
from psycopg import Connection
from psycopg.rows import tuple_row

from console.embedded.ports import LOOPBACK, free_port
from console.embedded.postgres import EmbeddedPostgres
from console.payments.signatures import signed_headers
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import books
from tests.payments.shop import CLEARING, ENVIRON, FEES, SECRET
from tests.services.postgres import Database, _fresh_database

KILLS = int(os.environ.get("WATTLEDGER_PAYMENT_KILLS", "5"))
FIRST = int(os.environ.get("WATTLEDGER_PAYMENT_SEED", "1"))
AMOUNT, FEE = Decimal("25.00"), Decimal("0.15")
ROOT = Path(__file__).parents[2]


@dataclass(slots=True)
class House:
    """A server whose processes can be killed at any instant, and what became of each payment so far."""

    database: Database
    zygote: subprocess.Popen[str]
    looker: Connection[Any]
    port: int = field(default_factory=free_port)
    processes: dict[str, int] = field(default_factory=dict)
    payments: int = 0
    taken_back: int = 0
    took_s: float = 0.03
    found: Counter[str] = field(default_factory=Counter)

    def start(self, command: str) -> None:
        role = {"serve": "wattledger_api", "payments": "wattledger_payments"}[command]
        port = str(self.port if command == "serve" else 0)
        own = {"WATTLEDGER_DATABASE_URL": self.database.url(role), "WATTLEDGER_METRICS_PORT": port}
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write(json.dumps([command, ENVIRON | own]) + "\n")
        self.zygote.stdin.flush()
        self.processes[command] = int(self.zygote.stdout.readline())

    def kill(self, command: str) -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.processes[command])
            process.send_signal(signal.SIGKILL)
            self.until(lambda: not process.is_running())

    def until(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, "it did not come to be within 30 s"
            time.sleep(0.002)

    def warm_up(self) -> None:
        """Take a payment in undisturbed; the second one tells how long one takes."""
        for _ in range(2):
            news, began = self.new_payment(), time.monotonic()
            self.deliver(news)
            self.check(news)
            self.took_s = time.monotonic() - began

    def new_payment(self) -> dict[str, str]:
        """News of a payment to an account of its own."""
        self.payments += 1
        number = f"{self.payments}"
        with Ledger(url=self.database.url("wattledger_writer")) as ledger:
            open_account(ledger, account=number, site="north", currency="CNY", now=MOVED_IN)
        return {
            "id": f"evt_{number}",
            "type": "succeeded",
            "payment": f"pay_{number}",
            "amount": f"{AMOUNT}",
            "fee": f"{FEE}",
            "currency": "CNY",
            "at": "2026-03-01T12:00:00Z",
            "account": number,
        }

    def taken_back_again(self, news: dict[str, str], kind: str) -> dict[str, str]:
        """News that the payment was refunded, or charged back."""
        self.taken_back += 1
        return news | {"id": f"{news['id']}-{kind}", "type": kind, "at": "2026-03-02T12:00:00Z", "fee": "0"}

    def deliver(self, news: dict[str, str]) -> int:
        """Deliver as a provider does, again and again until it is answered that it is kept; return how often."""
        body, deadline = msgspec.json.encode(news), time.monotonic() + 30
        for attempt in range(1, 10_000):
            headers = signed_headers(body, secret=SECRET, now=datetime.now(UTC))
            try:
                address = f"http://{LOOPBACK}:{self.port}/v1/webhooks/shop"
                if requests.post(address, data=body, headers=headers, timeout=5).status_code == 202:
                    return attempt
            except requests.RequestException:
                assert time.monotonic() < deadline, "no delivery was answered within 30 s"
            time.sleep(0.005)
        raise AssertionError("never answered")

    def stage(self, news: dict[str, str]) -> str:
        """How far a payment had come: told by what is in the database."""
        with self.looker.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute("SELECT state FROM payments.deliveries WHERE event = %s", (news["id"],)).fetchone()
        if row is None:
            return "not kept"
        if row[0] == "booked":
            return "marked"
        return ("kept", "credited", "credited and its fee booked")[len(self.moved_by(news))]

    def moved_by(self, news: dict[str, str]) -> list[str]:
        with self.looker.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                "SELECT topic FROM ledger.events AS e, payments.deliveries AS d WHERE d.event = %s"
                " AND topic IN ('account.credited/1', 'receipt.provider-fee-kept/1')"
                " AND ledger.fact(e.state) ->> 'reference_hash' = d.reference_hash ORDER BY topic",
                (news["id"],),
            )
            return [row[0] for row in cursor]

    def check(self, news: dict[str, str], *others: dict[str, str]) -> None:
        """Once all is booked: one credit, one fee, and the books of all payments so far add up."""
        self.until(lambda: all(self.stage(one) == "marked" for one in (news, *others)))
        assert self.moved_by(news) == ["account.credited/1", "receipt.provider-fee-kept/1"]
        sums = books(self.looker)
        assert sum(sums.values()) == 0
        kept = AMOUNT * (self.payments - self.taken_back) - FEE * self.payments
        assert (sums[CLEARING], sums[FEES]) == (kept, FEE * self.payments)


@pytest.fixture(scope="module")
def house(
    postgres_server: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    forking = [sys.executable, "-m", "tests.payments.zygote"]
    for database in _fresh_database(postgres_server, template=migrated_template):
        with (
            (tmp_path_factory.mktemp("killed") / "log").open("w") as log,
            subprocess.Popen(
                forking, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            ) as zygote,
            psycopg.connect(database.url(), autocommit=True) as looker,
        ):
            house = House(database, zygote, looker)
            try:
                for command in ("serve", "payments"):
                    house.start(command)
                house.warm_up()
                yield house
            finally:
                for command in house.processes:
                    house.kill(command)
                zygote.kill()
    print(f"\nwhat the killed had done: {dict(house.found)}")  # noqa: T201 - the campaign's figures


def delivered(house: House, *all_news: dict[str, str]) -> Future[int]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(lambda: sum(house.deliver(news) for news in all_news))
    pool.shutdown(wait=False)
    return future


@pytest.mark.parametrize("seed", range(FIRST, FIRST + KILLS))
def test_whoever_is_killed_whenever_the_payment_is_credited_once_and_taken_back_once(house: House, seed: int) -> None:
    chance = random.Random(seed)
    victims = chance.choice([["serve"], ["payments"], ["payments"], ["serve", "payments"]])
    news = house.new_payment()
    kind = chance.choice(["", "", "refunded", "charged-back"])
    story = [news, house.taken_back_again(news, kind)] if kind else [news]
    chance.shuffle(story)
    delivering = delivered(house, *story)
    time.sleep(chance.uniform(0, house.took_s * len(story)))
    for victim in victims:
        house.kill(victim)
    house.found[house.stage(news)] += 1
    for victim in victims:
        house.start(victim)
    delivering.result()
    house.check(*story)
    if chance.random() < 0.3:
        for one in story:
            house.deliver(one)
        house.check(*story)


def test_killed_before_it_is_kept_it_is_kept_when_it_is_told_again(house: House) -> None:
    news = house.new_payment()
    with psycopg.connect(house.database.url()) as holding:
        holding.execute("LOCK TABLE payments.deliveries IN ACCESS EXCLUSIVE MODE")
        delivering = delivered(house, news)
        house.until(lambda: waits_for_a_lock(house, "INSERT INTO payments.deliveries"))
        house.kill("serve")
        holding.rollback()
        assert not delivering.done()
    house.start("serve")
    assert delivering.result() > 1
    house.check(news)


def test_killed_within_the_credits_transaction_it_is_booked_again(house: House) -> None:
    news = house.new_payment()
    with psycopg.connect(house.database.url()) as holding:
        holding.execute("SELECT head FROM ledger.gate FOR UPDATE")
        house.deliver(news)
        house.until(lambda: waits_for_a_lock(house, "ledger.gate"))
        house.kill("payments")
        assert house.stage(news) == "kept"
        holding.rollback()
    house.start("payments")
    house.check(news)


def test_killed_after_the_credit_and_before_the_mark_it_is_booked_once(house: House) -> None:
    news = house.new_payment()
    house.kill("payments")
    house.deliver(news)
    with psycopg.connect(house.database.url()) as holding:
        holding.execute("SELECT 1 FROM payments.deliveries WHERE event = %s FOR UPDATE", (news["id"],))
        house.start("payments")
        house.until(lambda: house.stage(news) == "credited and its fee booked")
        house.until(lambda: waits_for_a_lock(house, "UPDATE payments.deliveries"))
        terminate_waiting(house, "UPDATE payments.deliveries")
        house.kill("payments")
        holding.rollback()
    assert house.stage(news) == "credited and its fee booked"
    house.start("payments")
    house.check(news)


def test_payments_that_loses_its_database_comes_back_and_books(house: House) -> None:
    house.looker.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wattledger_payments'"
    )
    news = house.new_payment()
    house.deliver(news)
    house.check(news)
    assert psutil.Process(house.processes["payments"]).is_running()


def test_payments_that_loses_its_database_within_a_command_comes_back_and_books(house: House) -> None:
    news = house.new_payment()
    with psycopg.connect(house.database.url()) as holding:
        holding.execute("SELECT head FROM ledger.gate FOR UPDATE")
        house.deliver(news)
        house.until(lambda: waits_for_a_lock(house, "ledger.gate"))
        terminate_waiting(house, "ledger.gate")
        holding.rollback()
    house.check(news)
    assert psutil.Process(house.processes["payments"]).is_running()


def waits_for_a_lock(house: House, statement: str) -> object:
    return house.looker.execute(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND position(%s in query) > 0"
        " AND datname = current_database()",
        (statement,),
    ).fetchone()


def terminate_waiting(house: House, statement: str) -> None:
    """End a backend that would carry its statement out though nobody is there any more to hear of it."""
    house.looker.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND position(%s in query) > 0 AND datname = current_database()",
        (statement,),
    )
