"""What has been applied of Kafka's partitions, moved in the same transaction as the events (design §3).

All of it belongs to the transaction that holds the gate; nothing here commits.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row

from ledger.wire import Reading


class Partition(NamedTuple):
    """A partition of a topic in one life of a cluster: a broker that forgets starts a new life."""

    cluster: str
    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The offset of the last message applied, and the SHA-256 of its key and value; −1 where there is none."""

    offset: int
    digest: bytes


NOTHING_APPLIED = Applied(-1, b"")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that cannot be applied, kept whole."""

    partition: Partition
    offset: int
    reason: str
    detail: str
    key: bytes | None
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class StrayReading:
    """A reading that belongs to no meter stream that may be written here."""

    concentrator: str
    collector: str
    sequence: int
    meter: str
    reason: str
    reading: Reading
    partition: int
    message_offset: int
    published_at: datetime


@dataclass(slots=True)
class SweepProgress:
    """How far a collector's sweeps of a concentrator are applied, with counts of those that were not."""

    sequence: int = 0
    duplicates: int = 0
    out_of_sequence: int = 0


def message_digest(key: bytes | None, value: bytes | None) -> bytes:
    """Return the SHA-256 of a message's key and value, each preceded by its length."""
    digest = hashlib.sha256()
    for part in (key, value):
        digest.update(b"-" if part is None else len(part).to_bytes(8, "big"))
        digest.update(part or b"")
    return digest.digest()


def applied_positions(connection: Connection[Any], partitions: Iterable[Partition]) -> dict[Partition, Applied]:
    """Return the position of each partition, NOTHING_APPLIED where it has none."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return {partition: _position(cursor, _POSITION, partition) for partition in sorted(set(partitions))}


def locked_positions(cursor: Cursor[TupleRow], partitions: Iterable[Partition]) -> dict[Partition, Applied]:
    """Return the same with the rows locked, taken in sorted order so that two writers never wait in a circle."""
    return {partition: _position(cursor, _LOCKED_POSITION, partition) for partition in sorted(set(partitions))}


def move_positions(cursor: Cursor[TupleRow], moved: Mapping[Partition, Applied]) -> None:
    """Record how far each partition is applied now."""
    rows = [(p.cluster, p.topic, p.number, applied.offset, applied.digest) for p, applied in sorted(moved.items())]
    _write(cursor, _MOVE_POSITIONS, rows)


def sweep_progress(
    connection: Connection[Any], keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], SweepProgress]:
    """Return the progress of each (collector, concentrator); one that never swept is at sequence 0."""
    wanted = list(keys)
    progress = {key: SweepProgress() for key in wanted}
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT collector, concentrator, sequence FROM ledger.sweeps JOIN unnest(%s::text[], %s::text[])"
            " AS wanted (collector, concentrator) USING (collector, concentrator)",
            ([key[0] for key in wanted], [key[1] for key in wanted]),
            prepare=True,
        )
        for collector, concentrator, sequence in cursor:
            progress[collector, concentrator] = SweepProgress(sequence)
    return progress


def move_sweeps(cursor: Cursor[TupleRow], moved: Mapping[tuple[str, str], SweepProgress]) -> None:
    """Record each progress: its sequence as it is, its counts added."""
    rows = [(*key, p.sequence, p.duplicates, p.out_of_sequence) for key, p in sorted(moved.items())]
    _write(cursor, _MOVE_SWEEPS, rows)


def meters_seen(connection: Connection[Any], supplies: Iterable[str]) -> dict[str, Any]:
    """Return when each supply point's meter was last heard of without usage."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT supply, seen_at FROM ledger.meters_seen WHERE supply = ANY(%s) AND seen_at IS NOT NULL",
            (list(supplies),),
            prepare=True,
        )
        return dict(cursor.fetchall())


def move_meters_seen(cursor: Cursor[TupleRow], rows: Iterable[tuple[str, Any, int, int]]) -> None:
    """Record (supply, seen at, superseded, held): the time as it is, the counts added."""
    _write(cursor, _MOVE_METERS_SEEN, rows)


def keep_dead_letters(cursor: Cursor[TupleRow], letters: Iterable[DeadLetter]) -> None:
    """Keep messages that cannot be applied, with the reason."""
    _write(
        cursor,
        _KEEP_DEAD_LETTERS,
        (
            (
                r.partition.cluster,
                r.partition.topic,
                r.partition.number,
                r.offset,
                r.reason,
                r.detail,
                r.key,
                r.payload,
            )
            for r in letters
        ),
    )


def keep_strays(cursor: Cursor[TupleRow], strays: Iterable[StrayReading]) -> None:
    """Keep readings of unknown or crossed meters, with the reason."""
    _write(
        cursor,
        _KEEP_STRAYS,
        (
            (
                r.concentrator,
                r.collector,
                r.sequence,
                r.meter,
                r.reason,
                msgspec.json.encode(r.reading).decode(),
                r.partition,
                r.message_offset,
                r.published_at,
            )
            for r in strays
        ),
    )


_POSITION = "SELECT position, digest FROM ledger.positions WHERE cluster = %s AND topic = %s AND partition = %s"
_LOCKED_POSITION = _POSITION + " FOR UPDATE"
_MOVE_POSITIONS = """
INSERT INTO ledger.positions (cluster, topic, partition, position, digest)
SELECT * FROM unnest(%s::text[], %s::text[], %s::int[], %s::bigint[], %s::bytea[])
ON CONFLICT (cluster, topic, partition) DO UPDATE SET position = excluded.position, digest = excluded.digest
"""
_MOVE_SWEEPS = """
INSERT INTO ledger.sweeps AS s (collector, concentrator, sequence, duplicates, out_of_sequence, applied_at)
SELECT *, now() FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (collector, concentrator) DO UPDATE SET
    applied_at = CASE WHEN s.sequence < excluded.sequence THEN excluded.applied_at ELSE s.applied_at END,
    sequence = excluded.sequence,
    duplicates = s.duplicates + excluded.duplicates,
    out_of_sequence = s.out_of_sequence + excluded.out_of_sequence
"""
_KEEP_DEAD_LETTERS = """
INSERT INTO ledger.dead_letters (cluster, topic, partition, message_offset, reason, detail, key, payload)
SELECT * FROM unnest(
    %s::text[], %s::text[], %s::int[], %s::bigint[], %s::text[], %s::text[], %s::bytea[], %s::bytea[])
ON CONFLICT DO NOTHING
"""
_KEEP_STRAYS = """
INSERT INTO ledger.stray_readings
    (concentrator, collector, sequence, meter, reason, reading, partition, message_offset, published_at)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::jsonb[], %s::integer[],
    %s::bigint[], %s::timestamptz[])
"""
_MOVE_METERS_SEEN = """
INSERT INTO ledger.meters_seen AS m (supply, seen_at, superseded, held)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[], %s::bigint[])
ON CONFLICT (supply) DO UPDATE SET
    seen_at = coalesce(excluded.seen_at, m.seen_at),
    superseded = m.superseded + excluded.superseded,
    held = m.held + excluded.held
"""


def _write(cursor: Cursor[TupleRow], query: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows with one statement, each column an array.

    Not with executemany: after its pipeline the server no longer minds an idle transaction, and a process that is
    stopped right then would hold the gate for ever.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    if columns:
        cursor.execute(query, columns, prepare=True)


def _position(cursor: Cursor[TupleRow], query: str, partition: Partition) -> Applied:
    cursor.execute(query, (partition.cluster, partition.topic, partition.number), prepare=True)
    row = cursor.fetchone()
    return NOTHING_APPLIED if row is None else Applied(row[0], bytes(row[1]))
