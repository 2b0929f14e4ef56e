"""The calendar process, killed at random instants around local midnights: each date is charged once, whatever comes.

Its clock is offset, by a setting of its own, to be where a test wants it; broker, ledger and worker are real.
"""

import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from console.embedded.child import start_child
from console.topics import EMBEDDED_PARTITIONS, TopicLayout, create_topics
from ledger.domain.meter import TimeChargeDebited
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.store.ticked import ticked_to
from tests.estate import build_estate
from tests.services.broker import KafkaBroker, is_apache
from tests.services.postgres import Database
from tests.streams.books import check_ledger
from tests.streams.collector import until
from tests.streams.test_ticks import DAILY_TARIFF
from tests.streams.workers import WorkerProcess

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.slow,
    pytest.mark.skipif(is_apache(), reason="Apache Kafka dates messages by its own clock, which no test can offset"),
]

BERLIN = ZoneInfo("Europe/Berlin")
BERLIN_TARIFF = DAILY_TARIFF.replace("Asia/Shanghai", BERLIN.key)
MOVED_IN = date(2026, 3, 26)


def midnight(day: date) -> datetime:
    """The instant at which a local date begins in Berlin."""
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


@dataclass(frozen=True, slots=True)
class Site:
    """Two concentrators with two supply points each, occupied since a midnight in Berlin, and the worker's parts."""

    database: Database
    broker: KafkaBroker
    directory: Path
    supplies: list[str]

    def worker(self) -> WorkerProcess:
        return WorkerProcess(
            self.directory, url=self.database.url("wattledger_writer"), bootstrap=self.broker.bootstrap
        )

    @contextmanager
    def calendar(self, *, at: datetime, resend_s: int = 1) -> Iterator[None]:
        """Run a calendar process whose clock begins at an instant; kill -9 it when the block ends."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("WATTLEDGER_")}
        environment |= {
            "WATTLEDGER_DATABASE_URL": self.database.url("wattledger_calendar"),
            "WATTLEDGER_KAFKA_BOOTSTRAP": self.broker.bootstrap,
            "WATTLEDGER_CALENDAR_CLOCK_OFFSET_S": f"{(at - datetime.now(UTC)).total_seconds():.3f}",
            "WATTLEDGER_CALENDAR_DELAY_S": "0",
            "WATTLEDGER_CALENDAR_POLL_S": "0.05",
            "WATTLEDGER_CALENDAR_RESEND_S": str(resend_s),
        }
        command = [sys.executable, "-m", "console", "calendar"]
        process = start_child(command, log=self.directory / "calendar.log", environment=environment)
        try:
            yield
        finally:
            process.kill()
            process.wait()

    def charged(self) -> dict[str, list[date]]:
        """The local dates that each supply point was charged, in the order of the ledger."""
        dates: dict[str, list[date]] = {}
        with psycopg.connect(self.database.url()) as connection:
            for entry in read_log(connection, after=0, limit=100_000):
                if isinstance(fact := entry.fact, TimeChargeDebited):
                    dates.setdefault(fact.supply, []).extend(days(fact.first_date, fact.last_date))
        return dates

    def wait_for(self, day: date) -> None:
        """Wait until the tick of a date is applied for both concentrators."""
        with psycopg.connect(self.database.url(), autocommit=True) as connection:
            until(
                lambda: ticked_to(connection) == {"c1": day, "c2": day},
                timeout_s=40,
                what=lambda: f"{ticked_to(connection)}, wanted {day}",
            )

    def count_of_ticks(self) -> int:
        with psycopg.connect(self.database.url()) as connection:
            row = connection.execute("SELECT sum(applied) FROM ledger.ticks").fetchone()
        return int(row[0] or 0) if row else 0


@pytest.fixture
def site(database: Database, own_broker: KafkaBroker, tmp_path: Path) -> Site:
    opened_at = midnight(MOVED_IN)
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        estate = build_estate(ledger, concentrators=2, meters_each=2, opened_at=opened_at, tariff_text=BERLIN_TARIFF)
    create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))
    return Site(database, own_broker, tmp_path, list(estate.supplies))


def test_kill_9_around_midnights_clock_changes_and_a_week_of_rest_charge_each_date_once(site: Site) -> None:
    """From 27 March over the day of 23 hours (29 March) to April, then a week of rest."""
    chance = random.Random(20260329)
    with site.worker() as worker:
        for day in days(date(2026, 3, 27), date(2026, 3, 31)):
            for _ in range(2):
                with site.calendar(at=midnight(day) - timedelta(seconds=chance.uniform(1, 3))):
                    time.sleep(chance.uniform(1.0, 3.5))
        with site.calendar(at=midnight(date(2026, 3, 31)) + timedelta(seconds=1)):
            site.wait_for(date(2026, 3, 30))
            worker.kill()
            worker.restart()
        with site.calendar(at=midnight(date(2026, 4, 8)) - timedelta(seconds=3)):
            site.wait_for(date(2026, 4, 7))
        assert worker.terminate() == 0
    wanted = days(MOVED_IN, date(2026, 4, 7))
    assert site.charged() == dict.fromkeys(site.supplies, wanted)
    check_ledger(site.database.url())


def test_a_day_of_25_hours_is_one_day_and_ends_an_hour_later(site: Site) -> None:
    longest = date(2026, 10, 25)
    assert midnight(longest + timedelta(days=1)) - midnight(longest) == timedelta(hours=25)
    with site.worker():
        with site.calendar(at=midnight(longest) + timedelta(hours=24, seconds=-2)):
            site.wait_for(date(2026, 10, 24))
            time.sleep(4)  # midnight, if the day had 24 hours
        assert site.charged()["c1-1"][-1] == date(2026, 10, 24)
        with site.calendar(at=midnight(longest) + timedelta(hours=25, seconds=-2)):
            site.wait_for(longest)
    assert site.charged() == dict.fromkeys(site.supplies, days(MOVED_IN, longest))


def test_two_calendars_publish_as_one_and_the_second_takes_over(site: Site) -> None:
    at = midnight(date(2026, 4, 1)) + timedelta(minutes=1)
    with site.worker():
        with site.calendar(at=at, resend_s=60):
            site.wait_for(date(2026, 3, 31))
            with site.calendar(at=at, resend_s=60):
                time.sleep(3)
                assert site.count_of_ticks() == 2
        with site.calendar(at=at + timedelta(days=1), resend_s=60):
            site.wait_for(date(2026, 4, 1))
    assert site.count_of_ticks() == 4
    assert site.charged() == dict.fromkeys(site.supplies, days(MOVED_IN, date(2026, 4, 1)))


def test_a_tick_that_the_broker_forgot_is_published_again(site: Site) -> None:
    with site.calendar(at=midnight(date(2026, 4, 1)) + timedelta(minutes=1)):
        time.sleep(3)
        site.broker.restart_empty()
        create_topics(bootstrap=site.broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))
        with site.worker():
            site.wait_for(date(2026, 3, 31))
    assert site.charged() == dict.fromkeys(site.supplies, days(MOVED_IN, date(2026, 3, 31)))
