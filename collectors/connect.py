"""The edge's life with its broker: connect, work, and when that ends connect again. Broker away is normal."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from aiokafka.errors import KafkaError

from collectors.errors import LinkLost, SpoolError, SpoolUnusable
from collectors.heartbeat import HeartbeatSender
from collectors.kafka import Link, open_link
from collectors.metrics import CollectorMetrics
from collectors.publish import Publisher, Send
from collectors.settings import KafkaSettings
from collectors.side_by_side import first_to_fail, uncancelled
from collectors.spool import Spool
from ledger import wire

log = structlog.get_logger(__name__)

TakeOrder = Callable[[wire.RelayCommand], Awaitable[None]]
_RESULTS_AT_ONCE = 100
_PAUSE_MAX_S = 4.0


@dataclass(slots=True, kw_only=True)
class ResultSender:
    """Sends relay results from their own lane of the spool; a result is forgotten once the broker has it."""

    spool: Spool
    wake: asyncio.Event

    async def run(self, send: Send) -> None:
        """Send over one connection until it fails."""
        while True:
            self.wake.clear()
            for result in await asyncio.to_thread(self.spool.results_kept, limit=_RESULTS_AT_ONCE):
                await send(wire.RELAY_RESULTS, result.concentrator.encode(), result.message)
                await asyncio.to_thread(self.spool.forget_results, through=result.sequence)
                self.wake.set()
            await self.wake.wait()


@dataclass(slots=True, kw_only=True)
class Connection:
    """Keeps publisher, result sender, heartbeats and listener running over one link after another."""

    settings: KafkaSettings
    publisher: Publisher
    results: ResultSender
    heartbeats: HeartbeatSender
    take_order: TakeOrder
    metrics: CollectorMetrics
    up: bool = False

    async def run(self) -> None:
        """Return never; raises CollectorError only for what a new connection cannot mend."""
        pause_s = self.settings.reconnect_pause_s
        while True:
            try:
                await uncancelled(self._linked())
            except (KafkaError, LinkLost, OSError, TimeoutError) as error:
                pause_s = self.settings.reconnect_pause_s if self.up else min(pause_s * 2, _PAUSE_MAX_S)
                self._note(up=False)
                log.warning("broker away", error=str(error) or type(error).__name__, retry_in_s=pause_s)
            except SpoolUnusable:
                raise
            except SpoolError as error:
                # A full disk passes. What could not be forgotten is published again, and the ledger passes over it.
                self._note(up=False)
                log.error("spool failed", error=str(error), retry_in_s=pause_s)
            await asyncio.sleep(pause_s)

    async def _linked(self) -> None:
        async with open_link(self.settings) as link:
            self._note(up=True)
            self.metrics.links.inc()
            log.info("broker connected", bootstrap=self.settings.bootstrap)
            await first_to_fail(
                self.publisher.run(link.send),
                self.results.run(link.send),
                self.heartbeats.run(link.send),
                self._listen(link),
                link.watch(),
            )

    def _note(self, *, up: bool) -> None:
        self.up = up
        self.metrics.link_up.set(up)

    async def _listen(self, link: Link) -> None:
        while True:
            incoming = await link.receive()
            try:
                if incoming.topic == wire.SWEEP_ACKS:
                    await self.publisher.take_ack(wire.decode_ack(incoming.value))
                else:
                    await self.take_order(wire.decode_command(incoming.value))
            except wire.WireError as error:
                self.metrics.unreadable.labels(incoming.topic, error.reason).inc()
                log.error("unreadable message", topic=incoming.topic, error=str(error))
