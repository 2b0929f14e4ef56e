"""A ledger reduced to its side of the protocol: it takes sweeps in sequence only and answers every one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ledger import wire


@dataclass(slots=True)
class FakeLedger:
    """What it has applied outlives any broker, as the real one's does in PostgreSQL."""

    applied: list[wire.Sweep] = field(default_factory=list)
    received: int = 0
    positions: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, sweep: wire.Sweep) -> wire.SweepAck:
        self.received += 1
        key = (sweep.collector, sweep.concentrator)
        if sweep.sequence == self.positions.get(key, 0) + 1:
            self.positions[key] = sweep.sequence
            self.applied.append(sweep)
        return wire.SweepAck(
            concentrator=sweep.concentrator, collector=sweep.collector, sequence=self.positions.get(key, 0)
        )

    def registers(self) -> dict[str, int]:
        """The newest register of each meter, as far as the ledger knows."""
        readings = [r.register for sweep in self.applied for r in sweep.readings if r.register is not None]
        return {register.meter: register.import_milliwh for register in readings}

    def read_times_rise(self) -> bool:
        """Whether every meter's readings were applied strictly in read order."""
        times: dict[str, list[float]] = {}
        for sweep in self.applied:
            for reading in sweep.readings:
                assert reading.register is not None
                times.setdefault(reading.register.meter, []).append(reading.register.read_at.timestamp())
        return all(earlier < later for each in times.values() for earlier, later in pairwise(each))


class SilentLedger(FakeLedger):
    """A ledger that is down: its acknowledgements say that it has applied nothing."""

    def take(self, sweep: wire.Sweep) -> wire.SweepAck:
        return wire.SweepAck(concentrator=sweep.concentrator, collector=sweep.collector, sequence=0)


async def create_topics(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1) for topic in wire.TOPICS])
    finally:
        await admin.close()


@asynccontextmanager
async def on_broker(ledger: FakeLedger, bootstrap: str) -> AsyncIterator["ServerSide"]:
    """Let the ledger work on a broker, from the topics' beginning, for as long as the block runs."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await consumer.start()
    await producer.start()
    consumer.assign([TopicPartition(topic, n) for topic in (wire.METER_READINGS, wire.RELAY_RESULTS) for n in (0, 1)])
    side = ServerSide(ledger, producer)
    work = asyncio.create_task(side.run(consumer))
    try:
        yield side
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await producer.stop()
        await consumer.stop()


class ServerSide:
    """The topics as the server uses them: it acknowledges sweeps, sends orders and takes in results."""

    def __init__(self, ledger: FakeLedger, producer: AIOKafkaProducer) -> None:
        self.ledger = ledger
        self.results: list[wire.RelayResult] = []
        self.heartbeats: list[wire.Heartbeat] = []
        self._producer = producer

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            record = await consumer.getone()
            if record.topic == wire.RELAY_RESULTS:
                found = wire.decode_edge_message(record.value)
                if isinstance(found, wire.RelayResult):
                    self.results.append(found)
                else:
                    self.heartbeats.append(found)
                continue
            sweep = wire.decode_meter_message(record.value)
            assert isinstance(sweep, wire.Sweep)
            ack = self.ledger.take(sweep)
            await self._producer.send_and_wait(wire.SWEEP_ACKS, wire.encode(ack), key=ack.concentrator.encode())

    async def order(self, order: wire.RelayCommand) -> None:
        await self._producer.send_and_wait(wire.RELAY_COMMANDS, wire.encode(order), key=order.concentrator.encode())
