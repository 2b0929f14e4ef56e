"""When partitions are assigned: where the ledger stands in each, and whether the log is still the one it applied.

A re-created topic, a log that ends before the ledger's position, and one whose unbilled messages are gone stop the
worker until an operator resolves it by name. A message gone that was applied is no loss.
"""

import asyncio
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from ledger.store.applied import Applied, Partition, message_digest
from streams.errors import StreamError

_READ_TIMEOUT_S = 15.0


class LogMismatch(StreamError):
    """The log of a partition is not the one that the ledger has applied."""


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
        await consumer.stop()
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
        if record.offset != applied.offset or message_digest(record.key, record.value) != applied.digest:
            problems.append(f"{_name(partition)} has another message at offset {applied.offset}: it was re-created")
    return problems


def _name(partition: Partition) -> str:
    return f"{partition.topic}/{partition.number} (cluster {partition.cluster})"
