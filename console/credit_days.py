"""Credit's days, kept by the calendar process: each local date of each site is worked through once.

A row per site says up to which date; whatever has begun beyond that is done, after however long a rest, and moved on
only when all of it is done. A crash does part of a date again, and the commands' own keys keep that from counting
twice. Charges that accrue while a supply is off are looked at after each tick as well: they come with it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter, Gauge
from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from console.daily import Done, Task, accruals_of, carry_out_task, tasks_of
from ledger.domain.credit.policy import policy_at
from ledger.store.application import Ledger
from ledger.usecases.credit.policies import policies_of
from projections.checkpoint import checkpoint
from projections.pace import Pace
from projections.process import Work, keep_working
from projections.project import CHANNEL
from streams.calendar_settings import CalendarSettings, read_calendar_settings

log = structlog.get_logger(__name__)

# "crdd" as an advisory lock, one per database.
LOCK = 0x63726464

INSTALMENTS = Counter("wattledger_instalments_total", "Instalments on debt that the calendar collected")
ACCRUED = Counter("wattledger_charges_accrued_total", "Charges of supplies that are off, moved to what accrued")
REFUSED = Counter("wattledger_credit_day_refusals_total", "Accounts and supply points refused a credit day")
DAYS_BEHIND = Gauge("wattledger_credit_days_behind", "Local dates begun and not done, at the site furthest behind")

# After a long rest no more dates than these are caught up with.
_DATES_BACK = 31
_DAY = timedelta(days=1)
_RETRY_AFTER_S = 60.0


@dataclass(slots=True)
class SiteDay:
    """A date of a site under way: what is left to do, and what was refused and is tried again later."""

    site: str
    local_date: date
    left: list[Task]
    refused: list[Task] = field(default_factory=list)


@dataclass(slots=True)
class CreditDays:
    """Works through the days, some tasks a turn."""

    ledger: Ledger
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    look: Pace = field(default_factory=lambda: Pace(10.0))
    retry: Pace = field(default_factory=lambda: Pace(_RETRY_AFTER_S))
    day: SiteDay | None = None
    accruals: list[Task] = field(default_factory=list)
    ticks: int = -1
    # Within a turn the connection that holds the office is idle, and it is lost when it is for long.
    tasks_a_turn: int = 20

    def begin(self, _connection: Connection[Any]) -> None:
        """Begin where the ledger says that the days are."""
        self.day, self.accruals, self.ticks = None, [], -1
        self.look.due_at_s = float("-inf")

    def turn(self, connection: Connection[Any]) -> bool:
        """Do some of what is due; tell whether there is more."""
        if self.day is None and not self.accruals:
            if not self.look.is_due():
                return False
            self._look(connection)
        if self.accruals:
            self._accrue()
        elif self.day is not None:
            self._go_on(connection, self.day)
        return bool(self.accruals) or (self.day is not None and bool(self.day.left))

    def _look(self, connection: Connection[Any]) -> None:
        due = due_days(connection, self.ledger, now=self.now())
        DAYS_BEHIND.set(max((len(days) for days in due.values()), default=0))
        first = next(((site, days[0]) for site, days in due.items() if days), None)
        if first is not None:
            site, day = first
            self.day = SiteDay(site, day, tasks_of(connection, site=site))
        ticks = _count_of_ticks(connection)
        if ticks != self.ticks:
            self.ticks = ticks
            self.accruals = [task for site in due for task in accruals_of(connection, site=site)]

    def _accrue(self) -> None:
        now, self.accruals = self.accruals[: self.tasks_a_turn], self.accruals[self.tasks_a_turn :]
        self._carried_out(now, None)

    def _go_on(self, connection: Connection[Any], day: SiteDay) -> None:
        if not day.left and day.refused and self.retry.is_due():
            day.left, day.refused = day.refused, []
        tasks, day.left = day.left[: self.tasks_a_turn], day.left[self.tasks_a_turn :]
        day.refused += self._carried_out(tasks, day.local_date)
        if not day.left and not day.refused:
            _move(connection, day)
            log.info("a credit day is done", site=day.site, local_date=str(day.local_date))
            self.day = None
            self.look.due_at_s = float("-inf")

    def _carried_out(self, tasks: list[Task], local_date: date | None) -> list[Task]:
        """Carry tasks out and return those that were refused."""
        done = Done()
        now = self.now()
        refused = [task for task in tasks if carry_out_task(self.ledger, task, done, now=now, local_date=local_date)]
        INSTALMENTS.inc(done.instalments)
        ACCRUED.inc(done.accrued)
        REFUSED.inc(len(refused))
        for refusal in done.refusals:
            log.warning("a credit day was refused", of=refusal)
        return refused


def due_days(connection: Connection[Any], ledger: Ledger, *, now: datetime) -> dict[str, list[date]]:
    """Return each site's local dates that have begun and are not worked through, the first of a site being today."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT s.site, d.local_date FROM (SELECT DISTINCT site FROM projections.sites) AS s"
            " LEFT JOIN ledger.credit_days AS d ON d.site = s.site ORDER BY s.site"
        )
        reached: list[tuple[str, date | None]] = cursor.fetchall()
    due: dict[str, list[date]] = {}
    for site, last in reached:
        policies, settings = policies_of(ledger, site)
        today = now.astimezone(ZoneInfo(policy_at(policies, settings, now).zone)).date()
        first = today if last is None else max(last + _DAY, today - (_DATES_BACK - 1) * _DAY)
        due[site] = [first + number * _DAY for number in range((today - first).days + 1)]
    return due


def _count_of_ticks(connection: Connection[Any]) -> int:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return int(cursor.execute("SELECT coalesce(sum(applied), 0)::bigint FROM ledger.ticks").fetchone() or 0)


def _move(connection: Connection[Any], day: SiteDay) -> None:
    connection.execute(
        "INSERT INTO ledger.credit_days AS d (site, local_date) VALUES (%s, %s)"
        " ON CONFLICT (site) DO UPDATE SET local_date = greatest(d.local_date, excluded.local_date)",
        (day.site, day.local_date),
    )


def keep_credit_days(environ: Mapping[str, str], stop: Event) -> None:
    """Work through the days until `stop` is set, by the calendar's own settings and clock."""
    settings = read_calendar_settings(environ)
    ledger = Ledger(url=settings.database_url, checkpoint=checkpoint)
    try:
        keep_working(work_of(ledger, settings), url=settings.database_url, stop=stop)
    finally:
        ledger.close()


def work_of(ledger: Ledger, settings: CalendarSettings) -> Work:
    """Return the work of keeping credit's days."""
    days = CreditDays(
        ledger,
        now=lambda: datetime.now(UTC) + settings.clock_offset,
        look=Pace(settings.poll_s * 10),
    )
    return Work(
        name="credit days",
        lock=LOCK,
        channel=CHANNEL,
        idle_s=1.0,
        begin=days.begin,
        turn=days.turn,
        elected=lambda _: None,
    )
