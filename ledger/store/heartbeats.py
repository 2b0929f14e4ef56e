"""The last heartbeat of each collector and concentrator: a row, not an event, for nothing is decided by its past."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row

from ledger import wire

_KEEP = """
INSERT INTO ledger.heartbeats AS h
    (concentrator, collector, at, heard_at, meters, failing, spool_sweeps, spool_oldest_s)
SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::int[], %s::int[],
    %s::bigint[], %s::bigint[])
ON CONFLICT (concentrator, collector) DO UPDATE SET
    at = excluded.at, heard_at = excluded.heard_at, meters = excluded.meters, failing = excluded.failing,
    spool_sweeps = excluded.spool_sweeps, spool_oldest_s = excluded.spool_oldest_s
WHERE h.heard_at <= excluded.heard_at
"""
# A spool that was set aside makes another collector's id: of a concentrator's, the one heard last counts.
_HEARD = """
SELECT DISTINCT ON (concentrator) concentrator, collector, at, heard_at, meters, failing, spool_sweeps, spool_oldest_s
FROM ledger.heartbeats ORDER BY concentrator, heard_at DESC, collector
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a concentrator's collector last said, `at` by its own clock and `heard_at` by the broker's."""

    concentrator: str
    collector: str
    at: datetime
    heard_at: datetime
    meters: int
    failing: int
    spool_sweeps: int
    spool_oldest_s: int

    @property
    def clock_ahead(self) -> timedelta:
        """How far the collector's clock is ahead of the broker's; behind by the time on the way at least."""
        return self.at - self.heard_at


def keep_heartbeats(cursor: Cursor[Any], beats: Iterable[tuple[wire.Heartbeat, datetime]]) -> None:
    """Keep the last heartbeat of each, with when the broker had it."""
    newest = {(beat.concentrator, beat.collector): (beat, heard_at) for beat, heard_at in beats}
    rows = [
        (b.concentrator, b.collector, b.at, heard_at, b.meters, b.failing, b.spool_sweeps, b.spool_oldest_s)
        for b, heard_at in newest.values()
    ]
    if rows:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def last_heard(connection: Connection[Any]) -> list[Heard]:
    """Return the last heartbeat of each concentrator that ever had one."""
    with connection.cursor(row_factory=class_row(Heard)) as cursor:
        return cursor.execute(_HEARD).fetchall()


def silent(connection: Connection[Any], *, now: datetime, after: timedelta) -> list[Heard]:
    """Return the concentrators that were not heard for longer than `after`, the longest silent first."""
    return sorted((row for row in last_heard(connection) if now - row.heard_at > after), key=lambda row: row.heard_at)
