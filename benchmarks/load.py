"""The load: sweeps of a hundred readings each, in the form that collectors publish."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from benchmarks.estate import METERS_PER_SWEEP, OPENING_MILLIWH, SINCE, concentrator, concentrators, serial
from console.topics import EMBEDDED_PARTITIONS
from ledger import wire

COLLECTOR = "bench-edge"
# What a meter uses between two sweeps a minute apart: 300 W or so.
STEP = timedelta(minutes=1)
STEP_MILLIWH = 5_000
_IN_FLIGHT = 500


class Message(NamedTuple):
    """A message as it is published; to its key's own partition where none is named."""

    key: bytes
    value: bytes
    readings: int
    partition: int | None = None


@dataclass(slots=True)
class Load:
    """Sweeps of an estate of so many meters; each round reads every meter once, a minute after the last."""

    meters: int
    rounds: int = 0

    def sweeps(self, rounds: int) -> Iterator[Message]:
        """Yield the next rounds, concentrator by concentrator."""
        for _ in range(rounds):
            self.rounds += 1
            for number in range(concentrators(self.meters)):
                yield self._sweep(number)

    def _sweep(self, number: int) -> Message:
        first = number * METERS_PER_SWEEP
        meters = range(first, min(first + METERS_PER_SWEEP, self.meters))
        read_at = SINCE + STEP * self.rounds
        register = OPENING_MILLIWH + STEP_MILLIWH * self.rounds
        sweep = wire.Sweep(
            concentrator=concentrator(number),
            collector=COLLECTOR,
            sequence=self.rounds,
            readings=[
                wire.Reading(
                    register=wire.RegisterReading(
                        meter=serial(meter),
                        read_at=read_at,
                        import_milliwh=register + meter % 7,
                        profile="bench",
                        raw="0001e240",
                    )
                )
                for meter in meters
            ],
        )
        # Dealt out evenly: the hashes of a few dozen keys would give one worker twice as much as another.
        return Message(sweep.concentrator.encode(), wire.encode(sweep), len(meters), number % EMBEDDED_PARTITIONS)


@asynccontextmanager
async def publisher(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    """Give a producer as the collectors have it."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=1_000_000)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def sent(producer: AIOKafkaProducer, message: Message) -> "asyncio.Future[object]":
    """Hand a message to the producer; the future is done when the broker has it."""
    partition = message.partition
    handed: asyncio.Future[object] = await producer.send(
        wire.METER_READINGS, message.value, key=message.key, partition=partition
    )
    return handed


async def publish(bootstrap: str, messages: Iterable[Message]) -> int:
    """Publish messages in their order and return how many readings they hold."""
    readings = 0
    async with publisher(bootstrap) as producer:
        waiting = []
        for message in messages:
            waiting.append(await sent(producer, message))
            readings += message.readings
            if len(waiting) >= _IN_FLIGHT:
                for future in waiting:
                    await future
                waiting.clear()
        for future in waiting:
            await future
    return readings
