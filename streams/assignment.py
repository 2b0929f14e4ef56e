"""When partitions are assigned: where the ledger stands in each, and whether the log is still the one it applied.

A re-created topic, a log that ends before the ledger's position, and one whose unbilled messages are gone stop the
worker until an operator resolves it by name. A message gone that was applied is no loss.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import OffsetOutOfRangeError
from psycopg import Connection

from ledger.closing import closed
from ledger.store.applied import Applied, Partition, applied_positions, message_digest
from streams.errors import StreamError

log = structlog.get_logger()

_READ_TIMEOUT_S = 15.0
# Below the time that Faust gives an assignment; a database away for longer is waited for by the supervisor.
_DATABASE_TIMEOUT_S = 60.0
_PAUSE_S = 0.5


class LogMismatch(StreamError):
    """The log of a partition is not the one that the ledger has applied."""


async def cluster_id(bootstrap: str) -> str:
    """Ask the broker who it is: an in-memory one is another cluster after each start."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    try:
        return str((await client.describe_cluster())["cluster_id"])
    finally:
        await client.close()


async def awaited_positions(
    connect: Callable[[], Connection[Any]], partitions: Sequence[Partition]
) -> dict[Partition, Applied]:
    """Return the ledger's positions, waiting for a database that does not answer; raises psycopg's errors."""
    return await asyncio.to_thread(_read_positions, connect, partitions, time.monotonic() + _DATABASE_TIMEOUT_S)


async def verify_log(*, bootstrap: str, positions: Mapping[Partition, Applied]) -> None:
    """Compare each partition's log with what the ledger applied of it; raises LogMismatch naming every difference."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none", enable_auto_commit=False)
    await consumer.start()
    try:
        kafka = {partition: TopicPartition(partition.topic, partition.number) for partition in positions}
        beginnings = await consumer.beginning_offsets(list(kafka.values()))
        problems: list[str] = []
        checkable: list[Partition] = []
        for partition, applied in sorted(positions.items()):
            begins = beginnings[kafka[partition]]
            if begins > applied.offset + 1:
                problems.append(
                    f"{_name(partition)} begins at offset {begins}, the ledger applied up to {applied.offset}:"
                    " messages in between were never billed"
                )
            elif applied.offset >= begins:
                checkable.append(partition)
        problems += await _digest_problems(consumer, checkable, positions)
    finally:
        await closed(consumer.stop())
    if problems:
        raise LogMismatch(
            "the log is not the one that was applied:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
            + "\nResolve each by name with `wattledger positions resolve`, then start the worker again."
        )


async def _digest_problems(
    consumer: AIOKafkaConsumer, partitions: Sequence[Partition], positions: Mapping[Partition, Applied]
) -> list[str]:
    """Read the last applied message of each partition again and compare its digest."""
    problems: list[str] = []
    for partition in partitions:
        kafka = TopicPartition(partition.topic, partition.number)
        applied = positions[partition]
        consumer.assign([kafka])
        consumer.seek(kafka, applied.offset)
        try:
            record = await asyncio.wait_for(consumer.getone(kafka), _READ_TIMEOUT_S)
        except (OffsetOutOfRangeError, TimeoutError):
            problems.append(f"{_name(partition)} ends before offset {applied.offset}, which the ledger has applied")
            continue
        # An operator's position may come without a digest: there is nothing to compare then.
        digest = applied.digest or message_digest(record.key, record.value)
        if record.offset != applied.offset or message_digest(record.key, record.value) != digest:
            problems.append(f"{_name(partition)} has another message at offset {applied.offset}: it was re-created")
    return problems


def _read_positions(
    connect: Callable[[], Connection[Any]], partitions: Sequence[Partition], deadline_s: float
) -> dict[Partition, Applied]:
    while True:
        try:
            with connect() as connection:
                return applied_positions(connection, partitions)
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline_s:
                raise
            log.warning("the database does not answer; waiting for it", error=str(error))
            time.sleep(_PAUSE_S)


def _name(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number} (cluster {partition.cluster})"
