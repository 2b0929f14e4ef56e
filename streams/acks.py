"""Sweep acknowledgements on their way to the collectors: the newest of each is enough, and none is owed.

A collector that misses one publishes its sweep again, which is acknowledged again.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from ledger import wire
from streams import metrics
from streams.settings import Settings

log = structlog.get_logger()

_PAUSE_AFTER_FAILURE_S = 1.0


class AckSender:
    """Sends acknowledgements in the background, so that the pricing path never waits for the broker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._newest: dict[tuple[str, str], wire.SweepAck] = {}
        self._news = asyncio.Event()

    def put(self, acks: Iterable[wire.SweepAck]) -> None:
        """Take acknowledgements to send; call it on the event loop."""
        for ack in acks:
            self._newest[ack.collector, ack.concentrator] = ack
        self._news.set()

    async def run(self) -> None:
        """Send until cancelled; a broker that is away costs nothing but time."""
        while True:
            producer = new_producer(bootstrap=self._settings.bootstrap, is_idempotent=self._settings.is_idempotent)
            try:
                await producer.start()
                while True:
                    await self._news.wait()
                    await self._send(producer)
            except (KafkaError, OSError) as error:
                log.warning("acknowledgements cannot be sent; trying again", error=str(error))
                await asyncio.sleep(_PAUSE_AFTER_FAILURE_S)
            finally:
                await producer.stop()

    async def _send(self, producer: AIOKafkaProducer) -> None:
        self._news.clear()
        acks, self._newest = self._newest, {}
        try:
            await send_all(
                producer, wire.SWEEP_ACKS, [(ack.concentrator.encode(), wire.encode(ack)) for ack in acks.values()]
            )
        except BaseException:
            self._newest = acks | self._newest
            self._news.set()
            raise
        metrics.ACKS_SENT.inc(len(acks))


async def send_all(producer: AIOKafkaProducer, topic: str, messages: Sequence[tuple[bytes | None, bytes]]) -> None:
    """Send (key, value) messages together and wait for the broker's word on each; raises KafkaError."""
    sent = [await producer.send(topic, value, key=key) for key, value in messages]
    await asyncio.gather(*sent)


def new_producer(*, bootstrap: str, is_idempotent: bool) -> AIOKafkaProducer:
    """Return a producer that counts a message as sent only when every in-sync copy has it."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=is_idempotent,
        linger_ms=0,
        request_timeout_ms=10_000,
    )
