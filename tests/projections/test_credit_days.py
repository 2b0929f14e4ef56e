"""Credit's days as the calendar process keeps them: each local date once, through clock changes, rests, crashes."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from psycopg import Connection
from psycopg.rows import scalar_row

from console.credit_days import CreditDays, due_days
from console.embedded.child import start_child
from console.embedded.ports import free_port
from ledger.domain.credit.facts import InstalmentCollected
from ledger.domain.credit.policy import CreditPolicy, DebtTerms
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.store.standing import BalancesBehind, Standing
from ledger.usecases.accounts import open_account
from ledger.usecases.credit.commands import AgreeDebt
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.protection import protect_supply
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import register_supply
from projections.checkpoint import checkpoint
from projections.pace import Pace
from projections.process import connect
from projections.worklist import PROTECTION_REVIEW, items
from tests.ledger.builders import MOVED_IN
from tests.ledger.test_credit_daily import MONDAY, charged, locked, occupied
from tests.ledger.till import Till, micros
from tests.projections.conftest import Project
from tests.services.postgres import Database
from tests.streams.collector import until

BERLIN = ZoneInfo("Europe/Berlin")
POLICY = CreditPolicy(zone=BERLIN.key, debt=DebtTerms(per_day_micros=micros(1), week_cap_micros=micros(5)))
DAY = timedelta(days=1)


def local(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


class Office:
    """A calendar's half that keeps credit's days, on a clock of the test's; `again` is a new process."""

    def __init__(self, database: Database, project: Project, connection: Connection[Any]) -> None:
        self.now = local(2026, 3, 26, 12)
        self.project = project
        self.connection = connection
        self.url = database.url("wattledger_calendar")
        self.till = Till(Ledger(url=database.url("wattledger_writer"), checkpoint=checkpoint))
        self.ledger = Ledger(url=self.url, checkpoint=checkpoint)
        change_site_settings(self.till.ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
        for account in ("a-1", "a-2"):
            open_account(self.till.ledger, account=account, site="north", currency="EUR", now=MOVED_IN)
            self.till.tops_up(account, 50)
        set_credit_policy(
            self.till.ledger,
            site="north",
            policy=POLICY,
            effective_from=MOVED_IN,
            operator="li",
            now=MOVED_IN,
        )
        self.again()

    def close(self) -> None:
        self.till.ledger.close()
        self.ledger.close()

    def again(self, ledger: Ledger | None = None) -> CreditDays:
        self.days = CreditDays(ledger or self.ledger, now=lambda: self.now, look=Pace(0), retry=Pace(0))
        self.days.begin(self.connection)
        return self.days

    def owes(self, account: str, amount: int = 100) -> None:
        command = AgreeDebt(account=account, amount_micros=micros(amount), source="brought-forward")
        self.till.orders(command, now=self.now)

    def works(self, at: datetime | None = None) -> None:
        """Do all that is due at an instant."""
        self.now = at or self.now
        self.project()
        while self.days.turn(self.connection) or self.is_behind():
            pass
        self.project()

    def is_behind(self) -> bool:
        return any(due_days(self.connection, self.ledger, now=self.now).values())

    def collected(self, account: str = "a-1") -> list[date]:
        facts = [event.fact for event in read_log(self.connection, after=0, limit=10_000)]
        return [
            fact.local_date for fact in facts if isinstance(fact, InstalmentCollected) and fact.account == account
        ]


@pytest.fixture
def office(database: Database, project: Project) -> Iterator[Office]:
    with connect(database.url("wattledger_calendar"), name="test") as connection:
        office = Office(database, project, connection)
        yield office
        office.close()


@pytest.mark.parametrize("begin", [date(2026, 3, 28), date(2026, 10, 24)], ids=["23 hours", "25 hours"])
def test_each_local_date_is_collected_once_where_the_clocks_are_changed(office: Office, begin: date) -> None:
    office.now = local(begin.year, begin.month, begin.day, 0, 30)
    office.owes("a-1")
    instant, end = office.now, office.now + timedelta(hours=74)
    while instant < end:
        office.works(instant)
        instant += timedelta(minutes=59)
    assert office.collected() == [begin + number * DAY for number in range(4)]


def test_dates_of_a_rest_are_caught_up_with_and_the_week_s_cap_holds(office: Office) -> None:
    office.now = local(2026, 3, 23, 12)
    office.owes("a-1")
    office.works()
    office.again()
    # Six dates at once, in a week that has five instalments at most.
    office.works(local(2026, 3, 29, 12))
    assert office.collected() == [date(2026, 3, day) for day in range(23, 28)]
    office.again()
    office.works(local(2026, 3, 30, 12))
    assert office.collected()[5:] == [date(2026, 3, 30)]


def test_nothing_is_collected_for_dates_before_the_debt_or_before_the_first_start(office: Office) -> None:
    office.works(local(2026, 3, 20, 12))
    office.now = local(2026, 3, 23, 12)
    office.owes("a-2")
    office.works(local(2026, 3, 24, 12))
    assert office.collected("a-2") == [date(2026, 3, 23), date(2026, 3, 24)]


def test_a_crash_does_part_of_a_date_again_and_counts_nothing_twice(office: Office) -> None:
    office.now = local(2026, 3, 23, 12)
    for account in ("a-1", "a-2"):
        office.owes(account)
    office.project()
    office.days.tasks_a_turn = 1
    assert office.days.turn(office.connection)
    assert (len(office.collected("a-1")), len(office.collected("a-2"))) == (1, 0)
    office.again()
    office.works()
    assert [office.collected(account) for account in ("a-1", "a-2")] == [[date(2026, 3, 23)]] * 2


def test_a_date_that_was_refused_stays_open_until_it_is_done(office: Office) -> None:
    office.now = local(2026, 3, 23, 12)
    office.owes("a-1")
    office.project()

    def behind(_connection: Connection[Any], _accounts: object) -> Standing:
        raise BalancesBehind("balances are known up to position 1 only")

    with Ledger(url=office.url, checkpoint=behind) as ledger:
        days = office.again(ledger)
        for _ in range(3):
            days.turn(office.connection)
    assert office.is_behind()
    assert office.collected() == []
    days.ledger = office.ledger
    office.works()
    assert office.collected() == [date(2026, 3, 23)]


def test_what_a_tick_charges_while_a_supply_is_off_accrues_the_same_day(office: Office) -> None:
    ledger = office.till.ledger
    accruing = CreditPolicy(zone="UTC", charges_while_off="accrued")
    set_credit_policy(ledger, site="north", policy=accruing, effective_from=MOVED_IN, operator="li", now=MOVED_IN)
    occupied(office.till)
    locked(office.till, 1, 0.5, is_set=True)
    office.works(MONDAY + DAY)
    charged(office.till, 1, 1)
    office.works()
    with connect(office.url.replace("wattledger_calendar", "wattledger_writer"), name="test") as writer:
        writer.execute("INSERT INTO ledger.ticks VALUES ('c-1', '2026-03-02', 1)")
    before = office.till.balance("a-1")
    office.works()
    assert office.till.balance("a-1") == before + Decimal("0.8")


def test_a_review_that_is_due_goes_on_the_worklist_on_its_local_date(
    office: Office, finance: Connection[Any]
) -> None:
    ledger = office.till.ledger
    register_supply(ledger, supply="s-1", site="north", concentrator="c-1", now=MOVED_IN)
    protect_supply(
        ledger,
        supply="s-1",
        category="lift",
        evidence="e-1",
        review_on=date(2026, 3, 24),
        operator="li",
        now=MOVED_IN,
    )
    # It is the 24th in Berlin, and not yet in Greenwich.
    for at, due in ((local(2026, 3, 23, 23, 59), []), (local(2026, 3, 24, 0, 1), ["s-1"])):
        office.works(at)
        assert [item.subject for item in items(finance, kind=PROTECTION_REVIEW)] == due


@pytest.mark.slow
def test_the_calendar_process_keeps_them_though_it_is_killed_and_no_broker_answers(
    office: Office, tmp_path: Path
) -> None:
    office.now = datetime.now(UTC)
    today = office.now.astimezone(BERLIN).date()
    office.owes("a-1")
    office.project()
    for days in (0, 0, 2):
        with calendar(office.url, ahead=days * DAY, log=tmp_path / "calendar.log"):
            until(lambda days=days: days_done(office) == today + days * DAY, timeout_s=30)  # type: ignore[misc]
    assert office.collected() == [today + number * DAY for number in range(3)]


def days_done(office: Office) -> date | None:
    with office.connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute("SELECT local_date FROM ledger.credit_days").fetchone()


@contextmanager
def calendar(url: str, *, ahead: timedelta, log: Path) -> Iterator[None]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("WATTLEDGER_")} | {
        "WATTLEDGER_DATABASE_URL": url,
        "WATTLEDGER_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "WATTLEDGER_CALENDAR_CLOCK_OFFSET_S": str(ahead.total_seconds()),
        "WATTLEDGER_CALENDAR_POLL_S": "0.05",
    }
    process = start_child([sys.executable, "-m", "console", "calendar"], log=log, environment=environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()
