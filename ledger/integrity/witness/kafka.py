"""A witness on a Kafka topic of one partition: kept for ever, on a cluster that the database's people do not run."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from ledger.closing import closed
from ledger.integrity.witness.records import Record, WitnessFailed, line_of, record_of

_TIMEOUT_MS = 10_000
_POLL_MS = 500


class KafkaWitness:
    """Connects for each call: a seal comes every few seconds, and a restart then leaves nothing half done."""

    def __init__(self, *, bootstrap: str, topic: str, replication: int = 1) -> None:
        self.bootstrap = bootstrap
        self.topic = topic
        self.replication = replication
        self.name = f"kafka {bootstrap}/{topic}"

    def append(self, records: Sequence[Record]) -> None:
        """Add records and wait until every replica in step has them."""
        try:
            asyncio.run(self._append(records))
        except (KafkaError, OSError) as error:
            raise WitnessFailed(f"{self.name} does not take seals: {error!r}") from error

    def newest(self) -> Record | None:
        """Return the newest record."""
        read = self._read(from_end=True)
        return read[-1] if read else None

    def records(self) -> Iterator[Record]:
        """Yield every record from the first."""
        yield from self._read(from_end=False)

    def _read(self, *, from_end: bool) -> list[Record]:
        try:
            return asyncio.run(self._reading(from_end=from_end))
        except (KafkaError, OSError) as error:
            raise WitnessFailed(f"{self.name} does not answer: {error!r}") from error

    async def _append(self, records: Sequence[Record]) -> None:
        await self._ensure_topic()
        producer = AIOKafkaProducer(
            bootstrap_servers=self.bootstrap, acks="all", request_timeout_ms=_TIMEOUT_MS, linger_ms=0
        )
        await producer.start()
        try:
            for record in records:
                await producer.send_and_wait(self.topic, line_of(record), partition=0)
        finally:
            await producer.stop()

    async def _ensure_topic(self) -> None:
        """Make the topic where it is not there: one partition, for order, and nothing ever deleted."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=_TIMEOUT_MS)
        await admin.start()
        try:
            if self.topic in await admin.list_topics():
                return
            topic = NewTopic(
                self.topic, 1, self.replication, topic_configs={"retention.ms": "-1", "cleanup.policy": "delete"}
            )
            answer = await admin.create_topics([topic])
            for _, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(f"topic {self.topic} cannot be made")
        finally:
            await admin.close()

    async def _reading(self, *, from_end: bool) -> list[Record]:
        partition = TopicPartition(self.topic, 0)
        async with self._consumer() as consumer:
            if not await self._has_topic(consumer):
                return []
            consumer.assign([partition])
            first = (await consumer.beginning_offsets([partition]))[partition]
            end = (await consumer.end_offsets([partition]))[partition]
            if end <= first:
                return []
            # Some brokers tell the last batch's beginning for the end: read on from there to the high watermark.
            consumer.seek(partition, max(first, end - 1) if from_end else first)
            found: list[Record] = []
            while True:
                batches = await consumer.getmany(partition, timeout_ms=_POLL_MS)
                for message in batches.get(partition, []):
                    found.append(record_of(message.value, where=f"{self.name} offset {message.offset}"))
                high = consumer.highwater(partition)
                if high is not None and await consumer.position(partition) >= high:
                    return found

    async def _has_topic(self, consumer: AIOKafkaConsumer) -> bool:
        return self.topic in await consumer.topics()

    @asynccontextmanager
    async def _consumer(self) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, request_timeout_ms=_TIMEOUT_MS, enable_auto_commit=False
        )
        await consumer.start()
        try:
            yield consumer
        finally:
            await closed(consumer.stop())
