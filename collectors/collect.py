"""The collector's process: everything above wired together, from settings to a clean end."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from collectors.connect import Connection, ResultSender
from collectors.errors import CollectorError
from collectors.metrics import CollectorMetrics, MetricsServer
from collectors.modbus import Bus
from collectors.order_memory import OrderMemory
from collectors.poll import Poller
from collectors.publish import Publisher
from collectors.relay import RelayLane
from collectors.settings import CollectorSettings
from collectors.side_by_side import first_to_fail
from collectors.signals import until_stopped
from collectors.site import Concentrator, Site, read_site
from collectors.spool import Spool
from collectors.sweep import Sweeper
from collectors.verify import OrderDesk
from ledger.values.signing import OrderVerifier

log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return the time by this machine's clock, in UTC."""
    return datetime.now(UTC)


class Collector:
    """One collector: polls its site, keeps sweeps, publishes them, and carries out relay orders."""

    def __init__(
        self, *, settings: CollectorSettings, site: Site, spool: Spool, now: Callable[[], datetime] = utc_now
    ) -> None:
        self.metrics = CollectorMetrics()
        self.spool = spool
        # Sequences restart with a new spool, so the ledger must see another collector then.
        self.id = f"{site.collector}.{spool.epoch}"
        self._now = now
        self._polling_stopped = False
        self._buses = {
            c.id: Bus(host=c.host, port=c.port, timeout_s=site.request_timeout_s) for c in site.concentrators
        }
        self.publisher = Publisher(
            source=spool,
            collector=self.id,
            concentrators={*self._buses, *spool.concentrators()},
            settings=settings.publish,
            metrics=self.metrics,
        )
        self._pollers = [self._poller(site, c, number) for number, c in enumerate(site.concentrators)]
        results = ResultSender(spool=spool, wake=asyncio.Event())
        memory = OrderMemory(spool)
        self._relays = RelayLane(
            desk=OrderDesk(
                verifier=OrderVerifier(settings.order_public_key), memory=memory, concentrators=site.concentrators
            ),
            memory=memory,
            buses=self._buses,
            timeout_s=site.relay_timeout_s,
            metrics=self.metrics,
            results_wake=results.wake,
            now=now,
        )
        self._connection = Connection(
            settings=settings.kafka,
            publisher=self.publisher,
            results=results,
            take_order=self._relays.take,
            metrics=self.metrics,
        )
        self.metrics.spool_sweeps.set_function(spool.sweeps_kept)
        self.metrics.spool_oldest_age_seconds.set_function(spool.oldest_age_s)

    def finish_polling(self) -> None:
        """Ask for one final sweep of every concentrator; publishing and relay orders go on after it."""
        for poller in self._pollers:
            poller.finish()

    async def run(self) -> None:
        """Work until cancelled; raises CollectorError for what only an operator can mend."""
        try:
            await first_to_fail(self._poll(), self._connection.run())
        finally:
            await self._relays.stop()
            for bus in self._buses.values():
                bus.close()

    def health(self) -> dict[str, object]:
        """Say in a few words how the collector fares."""
        return {
            "status": "ok",
            "collector": self.id,
            "broker_connected": self._connection.up,
            "spool_sweeps": self.spool.sweeps_kept(),
            "polling_stopped": self._polling_stopped,
        }

    async def _poll(self) -> None:
        await asyncio.gather(*(poller.run() for poller in self._pollers))
        self._polling_stopped = True
        self.metrics.polling_stopped.set(1)
        log.info("polling stopped", spool_sweeps=self.spool.sweeps_kept())

    def _poller(self, site: Site, concentrator: Concentrator, number: int) -> Poller:
        return Poller(
            sweeper=Sweeper(
                concentrator=concentrator,
                bus=self._buses[concentrator.id],
                retries=site.request_retries,
                metrics=self.metrics,
                now=self._now,
            ),
            spool=self.spool,
            collector=self.id,
            interval_s=site.poll_interval_s,
            delay_s=site.poll_interval_s * number / len(site.concentrators),
            metrics=self.metrics,
            spooled=self.publisher.wake,
        )


async def collect(settings: CollectorSettings) -> None:
    """Run a collector until SIGTERM or SIGINT; SIGUSR1 asks for the final sweep.

    Raises CollectorError for a wrong site file, a spool that cannot be used or a metrics port that is taken.
    """
    site = read_site(settings.site_file)
    spool = Spool(settings.spool or site.spool)
    try:
        collector = Collector(settings=settings, site=site, spool=spool)
        server = _serve(settings, collector)
        log.info("collecting", collector=collector.id, concentrators=len(site.concentrators))
        try:
            await until_stopped(collector.run(), on_usr1=collector.finish_polling)
        finally:
            if server is not None:
                server.stop()
    finally:
        spool.close()
    log.info("collector stopped", collector=collector.id)


def _serve(settings: CollectorSettings, collector: Collector) -> MetricsServer | None:
    if settings.metrics_port == 0:
        return None
    try:
        server = MetricsServer(
            host=settings.metrics_host, port=settings.metrics_port, metrics=collector.metrics, health=collector.health
        )
    except OSError as error:
        place = f"{settings.metrics_host}:{settings.metrics_port}"
        raise CollectorError(f"metrics cannot be served on {place}: {error}; free it or set another port") from None
    server.start()
    return server
