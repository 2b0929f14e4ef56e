"""The operator's way out where a partition's log is not the one that was applied: say, by name, where to go on.

Nothing here is needed while all is well. A position set by hand is kept with who set it and why.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from psycopg import Cursor
from psycopg.rows import TupleRow, class_row

from ledger.closing import closed
from ledger.store.applied import Applied, Partition, locked_positions, message_digest, move_positions
from ledger.store.gate import gated
from streams.connecting import connected
from streams.errors import StreamError

_TIMEOUT_S = 5.0


class ResolutionRefused(StreamError):
    """A position may not be set now."""


@dataclass(frozen=True, slots=True)
class PositionRow:
    """How far a partition is applied, and when an operator last set that by hand, and why."""

    cluster: str
    topic: str
    partition: int
    position: int
    has_digest: bool
    resolved_at: datetime | None
    resolved_by: str | None
    reason: str | None


def list_positions(url: str) -> list[PositionRow]:
    """Return every partition's position, in order of cluster, topic and partition."""
    with (
        connected(url, name="positions") as connection,
        connection.cursor(row_factory=class_row(PositionRow)) as cursor,
    ):
        return cursor.execute(_LIST).fetchall()


async def resolve_position(
    *, url: str, bootstrap: str, partition: Partition, at: int, reason: str, resolved_by: str
) -> Applied:
    """Let a partition go on after offset `at` (−1: from its beginning); return the position set.

    The digest of the message at that offset is kept where the broker still has it, else an empty one, which is not
    compared. Raises ResolutionRefused while a worker is connected to the ledger, or for an offset that cannot be.
    """
    if at < -1:
        raise ResolutionRefused(f"offset {at} is below -1, which is the beginning; give the last offset to leave out")
    digest = b"" if at < 0 else await _digest_at(bootstrap, partition, at)
    return await asyncio.to_thread(_set_position, url, partition, Applied(at, digest), reason, resolved_by)


async def _digest_at(bootstrap: str, partition: Partition, offset: int) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="none", enable_auto_commit=False)
    kafka = TopicPartition(partition.topic, partition.number)
    try:
        await consumer.start()
        consumer.assign([kafka])
        consumer.seek(kafka, offset)
        record = await asyncio.wait_for(consumer.getone(kafka), _TIMEOUT_S)
    except (KafkaError, TimeoutError):
        return b""
    finally:
        await closed(consumer.stop())
    return message_digest(record.key, record.value) if record.offset == offset else b""


def _set_position(url: str, partition: Partition, applied: Applied, reason: str, resolved_by: str) -> Applied:
    with connected(url, name="positions") as connection, gated(connection) as gate:
        _refuse_while_working(gate.cursor)
        before = locked_positions(gate.cursor, [partition])[partition]
        move_positions(gate.cursor, {partition: applied})
        gate.cursor.execute(
            _RECORD,
            (
                partition.cluster,
                partition.topic,
                partition.number,
                before.offset,
                before.digest,
                applied.offset,
                applied.digest,
                reason,
                resolved_by,
            ),
        )
    return applied


def _refuse_while_working(cursor: Cursor[TupleRow]) -> None:
    """Ask the database, not Kafka: the embedded broker remembers workers that have long ended as members."""
    cursor.execute(_WORKERS)
    workers = cursor.fetchall()
    if workers:
        raise ResolutionRefused(
            f"a worker is at work (PostgreSQL's backend {workers[0][0]}, {workers[0][1]!r});"
            " stop every `wattledger price` first"
        )


_WORKERS = """
SELECT pid, application_name FROM pg_stat_activity
WHERE datname = current_database() AND application_name IN ('wattledger price', 'wattledger publish')
"""
_LIST = """
SELECT p.cluster, p.topic, p.partition, p.position, p.digest <> ''::bytea AS has_digest,
    r.resolved_at, r.resolved_by, r.reason
FROM ledger.positions AS p LEFT JOIN LATERAL (
    SELECT resolved_at, resolved_by, reason FROM ledger.position_resolutions AS r
    WHERE (r.cluster, r.topic, r.partition) = (p.cluster, p.topic, p.partition) ORDER BY id DESC LIMIT 1
) AS r ON true
ORDER BY p.cluster, p.topic, p.partition
"""
_RECORD = """
INSERT INTO ledger.position_resolutions (cluster, topic, partition, position_before, digest_before, position, digest,
    reason, resolved_by) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
