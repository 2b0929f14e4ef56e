"""One connection to the broker: a producer, a reader of what is meant for the edge, and a watch over both.

Everything here may fail at any time and nothing here repairs itself: whoever holds a link closes it and opens
another. That is also how a broker that came back empty is survived, where old offsets name nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from collectors.errors import LinkLost
from collectors.settings import KafkaSettings
from ledger import wire

log = structlog.get_logger(__name__)

_CLOSE_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message for the edge."""

    topic: str
    value: bytes


class Link:
    """An open connection; made by `open_link`."""

    def __init__(self, settings: KafkaSettings) -> None:
        timeout_ms = int(settings.request_timeout_s * 1000)
        self._settings = settings
        self._cluster_id = ""
        self._partitions: list[TopicPartition] = []
        self._producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap,
            acks="all",
            enable_idempotence=settings.idempotence,
            request_timeout_ms=timeout_ms,
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            request_timeout_ms=timeout_ms,
        )
        self._admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap, request_timeout_ms=timeout_ms)

    async def send(self, topic: str, key: bytes, message: bytes) -> None:
        """Give a message to the broker; returns when all its replicas have it, raises KafkaError."""
        await self._producer.send_and_wait(topic, message, key=key)

    async def receive(self) -> Incoming:
        """Return the next acknowledgement or relay order, of any collector."""
        record = await self._consumer.getone()
        return Incoming(topic=record.topic, value=record.value or b"")

    async def watch(self) -> None:
        """Return never; raises LinkLost when the broker is another than it was, or has forgotten."""
        while True:
            await asyncio.sleep(self._settings.watch_interval_s)
            cluster_id = (await self._admin.describe_cluster()).get("cluster_id")
            if cluster_id != self._cluster_id:
                raise LinkLost(f"the broker is now cluster {cluster_id}, it was {self._cluster_id}")
            for partition in self._partitions:
                # Reading past a log's end waits for ever: the log has become shorter than what we read of it.
                highwater = self._consumer.highwater(partition)
                position = await self._consumer.position(partition)
                if highwater is not None and highwater < position:
                    raise LinkLost(f"{partition.topic}[{partition.partition}] ends at {highwater}, before {position}")

    async def open(self, *, topics_read: tuple[str, ...], topics_written: tuple[str, ...]) -> None:
        """Connect, and stand at the ends of the topics to read; raises LinkLost where a topic is missing."""
        await self._admin.start()
        self._cluster_id = (await self._admin.describe_cluster()).get("cluster_id")
        # All topics are asked about: to ask for one by name might create it, with the wrong partitions.
        partitions = {topic["topic"]: topic["partitions"] for topic in await self._admin.describe_topics()}
        for topic in (*topics_read, *topics_written):
            if not partitions.get(topic) or any(part["leader"] < 0 for part in partitions[topic]):
                raise LinkLost(f"topic {topic} is not there; the server side creates it when it starts")
        self._partitions = [
            TopicPartition(topic, part["partition"]) for topic in topics_read for part in partitions[topic]
        ]
        await self._consumer.start()
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_end(*self._partitions)
        for partition in self._partitions:
            # From here on no acknowledgement can be missed: publishing begins after this.
            async with asyncio.timeout(self._settings.request_timeout_s):
                await self._consumer.position(partition)
        await self._producer.start()

    async def close(self) -> None:
        """Close everything, within seconds even when the broker is gone; raises nothing."""
        for stop in (self._consumer.stop, self._producer.stop, self._admin.close):
            await _attempted(stop())
        # A producer stopped while its broker is away waits for a flush that cannot come; its sender and its
        # connection would outlive it. It has no public way to be dropped.
        if self._producer._sender is not None and self._producer._sender.sender_task is not None:
            await _attempted(self._producer._sender.close())
        await _attempted(self._producer.client.close())


async def _attempted(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    await asyncio.wait({task}, timeout=_CLOSE_TIMEOUT_S)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def open_link(
    settings: KafkaSettings,
    *,
    topics_read: tuple[str, ...] = (wire.SWEEP_ACKS, wire.RELAY_COMMANDS),
    topics_written: tuple[str, ...] = (wire.METER_READINGS, wire.RELAY_RESULTS),
) -> AsyncIterator[Link]:
    """Open a link for as long as the block runs; raises KafkaError, OSError or LinkLost."""
    link = Link(settings)
    try:
        await link.open(topics_read=topics_read, topics_written=topics_written)
        yield link
    finally:
        await asyncio.shield(link.close())
