"""One collector: everything beside it in this folder wired together."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from collectors.connect import Connection, ResultSender
from collectors.errors import BadFile, SpoolError, SpoolUnusable
from collectors.heartbeat import HeartbeatSender
from collectors.metrics import CollectorMetrics
from collectors.mqtt import MqttSweeper, read_mqtt
from collectors.order_memory import OrderMemory
from collectors.poll import Poller
from collectors.polling import Polling
from collectors.publish import Publisher
from collectors.relay import RelayLane
from collectors.settings import CollectorSettings
from collectors.side_by_side import first_to_fail
from collectors.site import Site
from collectors.spool import Spool
from collectors.spool_bounds import BoundsKeeper, SpoolBounds
from collectors.verify import OrderDesk
from ledger.values.signing import OrderVerifier

log = structlog.get_logger(__name__)

_SPOOL_WATCH_S = 5.0
# How often between two watches it is looked whether the spool proved damaged: until then nothing is kept.
_LOOKS = 10
# What was heard in so long goes out as one sweep.
_RADIO_SWEEP_S = 1.0


def utc_now() -> datetime:
    """Return the time by this machine's clock, in UTC."""
    return datetime.now(UTC)


class Collector:
    """One collector: polls its site, keeps sweeps, publishes them, and carries out relay orders."""

    def __init__(
        self,
        *,
        settings: CollectorSettings,
        site: Site,
        spool: Spool,
        now: Callable[[], datetime] = utc_now,
        metrics: CollectorMetrics | None = None,
    ) -> None:
        self.metrics = metrics or CollectorMetrics()
        self.spool = spool
        # Sequences restart with a new spool, so the ledger must see another collector then.
        self.id = f"{site.collector}.{spool.epoch}"
        self.site = site
        self._polling_stopped = False
        self._radio = None
        if site.mqtt is not None:
            self._radio = MqttSweeper(site=read_mqtt(site.mqtt), metrics=self.metrics)
        self._bounds = BoundsKeeper(spool=spool, bounds=_bounds_of(site), metrics=self.metrics)
        self.publisher = Publisher(
            source=spool,
            collector=self.id,
            concentrators={*(c.id for c in site.concentrators), *spool.concentrators(), *self._radio_ids()},
            settings=settings.publish,
            metrics=self.metrics,
        )
        self._polling = Polling(
            site=site,
            spool=spool,
            collector=self.id,
            metrics=self.metrics,
            spooled=self.publisher.wake,
            is_full=lambda: self._bounds.is_full,
            now=now,
        )
        self._radio_poller = self._poller_of_radio()
        results = ResultSender(spool=spool, wake=asyncio.Event())
        memory = OrderMemory(spool)
        self._desk = OrderDesk(
            verifier=OrderVerifier(settings.order_public_key), memory=memory, concentrators=site.concentrators
        )
        self._relays = RelayLane(
            desk=self._desk,
            memory=memory,
            buses=self._polling.buses,
            timeout_s=site.relay_timeout_s,
            metrics=self.metrics,
            results_wake=results.wake,
            now=now,
        )
        self._connection = Connection(
            settings=settings.kafka,
            publisher=self.publisher,
            results=results,
            heartbeats=HeartbeatSender(
                collector=self.id,
                spool=spool,
                pollers=self._pollers,
                interval_s=settings.heartbeat_interval_s,
                now=now,
            ),
            take_order=self._relays.take,
            metrics=self.metrics,
        )
        self.metrics.spool_sweeps.set_function(spool.sweeps_kept)
        self.metrics.spool_oldest_age_seconds.set_function(spool.oldest_age_s)
        self.metrics.spool_bytes.set_function(spool.bytes_used)

    def finish_polling(self) -> None:
        """Ask for one final sweep of every concentrator; publishing and relay orders go on after it."""
        self._polling.finish()
        if self._radio_poller is not None:
            self._radio_poller.finish()

    async def run(self) -> None:
        """Work until cancelled; raises SpoolUnusable for a damaged spool, CollectorError for the rest."""
        try:
            listening = [] if self._radio is None else [self._radio.listen()]
            await first_to_fail(self._poll(), self._connection.run(), self._watch_spool(), *listening)
        finally:
            await self._relays.stop()
            self._polling.close()

    async def take_over(self, site: Site) -> None:
        """Work by a changed site from now on; no sweep is lost.

        Raises BadFile for what needs a new start, CollectorError where a port is taken; then nothing has changed.
        """
        fixed = ("collector", "spool", "mqtt")
        if changed := [name for name in fixed if getattr(site, name) != getattr(self.site, name)]:
            problem = f"collector.{changed[0]}: changes only with a new start of the collector; restart it"
            raise BadFile(path="the site file", errors=[problem])
        # Whatever may be refused comes first: a site that is not taken over changes nothing at all.
        await self._polling.listen(site)
        self._desk.concentrators = site.concentrators
        self._relays.timeout_s = site.relay_timeout_s
        self._bounds.bounds = _bounds_of(site)
        for concentrator in site.concentrators:
            self.publisher.add(concentrator.id)
        await self._polling.take_over(site)
        self.site = site

    def health(self) -> dict[str, object]:
        """Say in a few words how the collector fares."""
        return {
            "status": "ok",
            "collector": self.id,
            "broker_connected": self._connection.up,
            "spool_sweeps": self.spool.sweeps_kept(),
            "polling_stopped": self._polling_stopped,
        }

    def _pollers(self) -> list[Poller]:
        return [*self._polling.pollers(), *([] if self._radio_poller is None else [self._radio_poller])]

    def _radio_ids(self) -> list[str]:
        return [] if self._radio is None else [self._radio.site.concentrator]

    def _poller_of_radio(self) -> Poller | None:
        if self._radio is None:
            return None
        return Poller(
            sweeper=self._radio,
            spool=self.spool,
            collector=self.id,
            interval_s=_RADIO_SWEEP_S,
            delay_s=0.0,
            metrics=self.metrics,
            spooled=self.publisher.wake,
            is_full=lambda: self._bounds.is_full,
        )

    async def _poll(self) -> None:
        radio = [] if self._radio_poller is None else [self._radio_poller.run()]
        await first_to_fail(self._polling.run(), *radio)
        self._polling_stopped = True
        self.metrics.polling_stopped.set(1)
        log.info("polling stopped", spool_sweeps=self.spool.sweeps_kept())

    async def _watch_spool(self) -> None:
        """Keep the spool within its bounds, and end all work where its file turns out to be damaged."""
        while True:
            if self.spool.damaged.is_set():
                raise SpoolUnusable("the spool's file is damaged")
            try:
                await asyncio.to_thread(self._bounds.keep)
            except SpoolUnusable:
                raise
            except SpoolError as error:
                log.error("spool not kept within its bounds", error=str(error))
            for _ in range(_LOOKS):
                if not self.spool.damaged.is_set():
                    await asyncio.sleep(_SPOOL_WATCH_S / _LOOKS)


def _bounds_of(site: Site) -> SpoolBounds:
    return SpoolBounds(max_bytes=site.spool_max_megabytes * 1_000_000, max_days=site.spool_max_days)
