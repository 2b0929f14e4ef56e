"""The server side of the campaign, in one thread: the real pricing on a real ledger, acknowledgements, and orders.

Kafka's own consumer instead of Faust's: what is tried here is the edge, and runs shall be short.
"""

import asyncio
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from console.topics import EMBEDDED_PARTITIONS
from ledger import wire
from ledger.domain.meter import ReadingHeld, UsageDebited
from ledger.store.applied import Partition
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream
from streams.message import Message
from tests.streams.direct import CLUSTER, pricing_applier

_RESEND_S = 0.25


@dataclass(slots=True)
class Office:
    """Prices what comes in, acknowledges it, sends orders until they are answered; a context manager."""

    url: str
    bootstrap: str
    results: dict[str, wire.RelayResult] = field(default_factory=dict)
    orders: dict[str, wire.RelayCommand] = field(default_factory=dict)
    failure: BaseException | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _work: "asyncio.Task[None] | None" = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _raw: list[bytes] = field(default_factory=list)

    def __enter__(self) -> "Office":
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._loop is not None
        assert self._work is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join(20)

    def send(self, order: wire.RelayCommand) -> None:
        """Send an order again and again until it has a result, as the ledger's outbox does."""
        self.orders[str(order.order)] = order

    def send_raw(self, message: bytes) -> None:
        """Put anything at all on the topic of orders."""
        self._raw.append(message)

    def forget_orders(self) -> None:
        self.orders = {}

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._work = asyncio.create_task(self._run())
        try:
            await self._work
        except asyncio.CancelledError:
            return
        except BaseException as error:
            self.failure = error
            raise

    async def _run(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=30,
        )
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await consumer.start()
        await producer.start()
        topics = (wire.METER_READINGS, wire.RELAY_RESULTS)
        consumer.assign([TopicPartition(topic, n) for topic in topics for n in range(EMBEDDED_PARTITIONS)])
        applier = pricing_applier(self.url)
        sending = asyncio.create_task(self._send_orders(producer))
        self._ready.set()
        try:
            while True:
                for where, records in (await consumer.getmany(timeout_ms=30)).items():
                    if where.topic == wire.RELAY_RESULTS:
                        self._take_results(record.value for record in records)
                        continue
                    partition = Partition(CLUSTER, where.topic, where.partition)
                    messages = [
                        Message(partition, record.offset, record.key, record.value, datetime.now(UTC))
                        for record in records
                    ]
                    draft = await asyncio.to_thread(applier.apply, messages)
                    for ack in draft.acks if draft is not None else ():
                        await producer.send(wire.SWEEP_ACKS, wire.encode(ack), key=ack.concentrator.encode())
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            await producer.stop()
            await consumer.stop()
            applier.close()

    async def _send_orders(self, producer: AIOKafkaProducer) -> None:
        while True:
            raw, self._raw = self._raw, []
            for message in raw:
                await producer.send_and_wait(wire.RELAY_COMMANDS, message, key=b"any")
            for order in list(self.orders.values()):
                if str(order.order) not in self.results:
                    key = order.concentrator.encode()
                    await producer.send_and_wait(wire.RELAY_COMMANDS, wire.encode(order), key=key)
            await asyncio.sleep(_RESEND_S)

    def _take_results(self, values: Iterable[bytes]) -> None:
        for value in values:
            result = wire.decode_edge_message(value)
            if isinstance(result, wire.RelayResult):
                self.results[str(result.order)] = result


def booked(connection: "psycopg.Connection[Any]", supplies: Iterable[str]) -> dict[str, int]:
    """What each supply was billed, in milliwatt-hours; fails where anything is held."""
    streams = {meter_stream(supply): supply for supply in supplies}
    rows = connection.execute(
        "SELECT originator_id, topic, state FROM ledger.events WHERE originator_id = ANY(%s)", (list(streams),)
    )
    energy = dict.fromkeys(streams.values(), 0)
    for stream, topic, state in rows.fetchall():
        fact = fact_of(topic, bytes(state))
        assert not isinstance(fact, ReadingHeld), f"a reading out of thin air: {fact}"
        if isinstance(fact, UsageDebited):
            energy[streams[stream]] += fact.usage_milliwh
    return energy
