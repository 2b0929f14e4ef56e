"""The `calendar` process: publishes a tick per concentrator and ended local date, in the sweeps' own topic.

It remembers nothing. The ledger says how far ticks are applied; whatever has ended beyond that is published, and
again until it is applied: after a crash, a broker that forgot, or weeks of rest. Twice does no harm: the meter
streams know what they charged. One calendar is active at a time; others stand by.
"""

import asyncio
import logging
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import start_http_server
from psycopg import Connection

from ledger import wire
from ledger.domain.snapshot import PricingSnapshot
from ledger.store.catching_up import catch_up
from ledger.store.ticked import ticked_to
from streams import calendar_metrics as metrics
from streams.acks import new_producer
from streams.calendar_settings import CalendarSettings, read_calendar_settings
from streams.connecting import connected_for_office
from streams.days_ended import Announcing, Zones, days_behind, ended_dates, zones_of

log = structlog.get_logger()

# Any number that nothing else here locks; it names the calendar's office.
_ADVISORY_LOCK = 7_203_002
_PAUSE_S = 1.0
_ZONES_HOLD = timedelta(hours=1)


class Calendar:
    """Publishes while it holds the office; otherwise stands by to take it over."""

    def __init__(self, settings: CalendarSettings) -> None:
        self._settings = settings
        self._snapshot = PricingSnapshot()
        self._zones: tuple[int, datetime, Zones] | None = None
        self.is_ready = asyncio.Event()

    async def run(self) -> None:
        """Publish until cancelled; a database or broker that is away costs nothing but time."""
        while True:
            try:
                await self._in_office()
            except (psycopg.Error, KafkaError, OSError) as error:
                log.warning("ticks cannot be published; trying again", error=str(error).strip())
            metrics.IS_ACTIVE.set(0)
            await asyncio.sleep(_PAUSE_S)

    async def _in_office(self) -> None:
        connection = await asyncio.to_thread(connected_for_office, self._settings.database_url, name="calendar")
        producer = new_producer(bootstrap=self._settings.bootstrap, is_idempotent=self._settings.is_idempotent)
        try:
            if not await asyncio.to_thread(_take_office, connection):
                self.is_ready.set()  # it stands by, that is its work
                return
            await producer.start()
            metrics.IS_ACTIVE.set(1)
            announcing = Announcing()
            while True:
                ticks, now = await asyncio.to_thread(self._look, connection, announcing)
                await _send(producer, ticks, at=now)
                announcing.publish(ticks, now=now)
                self.is_ready.set()
                await asyncio.sleep(self._settings.poll_s)
        finally:
            await producer.stop()
            connection.close()

    def _look(self, connection: Connection[Any], announcing: Announcing) -> tuple[list[tuple[str, date]], datetime]:
        """Return the ticks to publish now, and what the calendar's clock says."""
        catch_up(connection, self._snapshot)
        applied = ticked_to(connection)
        now = datetime.now(UTC) + self._settings.clock_offset
        ended = ended_dates(self._known_zones(now), now=now - self._settings.delay)
        metrics.DAYS_BEHIND.set(days_behind(ended, applied))
        return announcing.due(ended, applied, now=now, resend_after=self._settings.resend_after), now

    def _known_zones(self, now: datetime) -> Zones:
        """Return each concentrator's zones; worked out when supply points or tariffs change, and now and then."""
        known = self._zones
        if known is None or known[0] != self._snapshot.position or abs(now - known[1]) >= _ZONES_HOLD:
            known = self._zones = self._snapshot.position, now, zones_of(self._snapshot, now=now)
            metrics.CONCENTRATORS.set(len(known[2]))
        return known[2]


def main(environ: Mapping[str, str], *, beside: Callable[[threading.Event], None]) -> int:
    """Announce dates until SIGTERM or SIGINT; raises InvalidValue for wrong settings.

    `beside` is what else days bring, done in a thread until its event is set; where it fails, the process ends.
    """
    settings = read_calendar_settings(environ)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if settings.clock_offset:
        log.warning(
            "this calendar's clock is offset, for a rehearsal", offset_s=settings.clock_offset.total_seconds()
        )
    asyncio.run(_run(settings, beside))
    return 0


async def _run(settings: CalendarSettings, beside: Callable[[threading.Event], None]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    calendar = Calendar(settings)
    ends = threading.Event()
    working = [
        asyncio.create_task(calendar.run()),
        asyncio.create_task(_serve_when_ready(calendar, settings)),
        asyncio.create_task(asyncio.to_thread(beside, ends)),
    ]
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait({stopped, *working}, return_when=asyncio.FIRST_COMPLETED)
    ends.set()
    for task in working:
        task.cancel()
    outcomes = await asyncio.gather(*working, return_exceptions=True)
    if stopped not in done:
        raise next((one for one in outcomes if isinstance(one, Exception)), RuntimeError("the calendar ended"))


async def _serve_when_ready(calendar: Calendar, settings: CalendarSettings) -> None:
    """Serve metrics (and so health) once the ledger and the broker were reached."""
    await calendar.is_ready.wait()
    if settings.metrics_port:
        start_http_server(settings.metrics_port, settings.metrics_host)
    await asyncio.Event().wait()


def _take_office(connection: Connection[Any]) -> bool:
    """Become the calendar, for as long as this connection lives; False where another one is."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_LOCK,)).fetchone()
    return bool(row is not None and row[0])


async def _send(producer: AIOKafkaProducer, ticks: list[tuple[str, date]], *, at: datetime) -> None:
    """Send ticks in order and wait for the broker's word on each.

    The message's time is the calendar's; a broker that dates messages itself, as Apache Kafka does here, ignores it.
    """
    timestamp_ms = int(at.timestamp() * 1000)
    sent = []
    for concentrator, day in ticks:
        value = wire.encode(wire.Tick(concentrator=concentrator, local_date=day))
        sent.append(
            await producer.send(wire.METER_READINGS, value, key=concentrator.encode(), timestamp_ms=timestamp_ms)
        )
    await asyncio.gather(*sent)
    metrics.TICKS_PUBLISHED.inc(len(ticks))
    if ticks:
        log.info("ticks published", ticks=len(ticks), first=str(ticks[0]), last=str(ticks[-1]))
