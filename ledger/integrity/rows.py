"""Events off the wire as their canonical bytes: PostgreSQL's binary COPY, a row at a time, nothing kept."""

from collections.abc import Iterator
from typing import Any

from psycopg import Connection

# The columns in the order of `seals.event_bytes`: what COPY sends for a row is what its leaf is the hash of.
_COPY = (
    "COPY (SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events"
    " WHERE notification_id BETWEEN %s AND %s ORDER BY notification_id) TO STDOUT (FORMAT BINARY)"
)
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
_HEADER_BYTES = 19
_TRAILER = b"\xff\xff"


def canonical_rows(connection: Connection[Any], *, first: int, last: int) -> Iterator[bytes]:
    """Yield the canonical bytes of every event from one position to another, in order; gaps are passed over."""
    with connection.cursor() as cursor, cursor.copy(_COPY % (int(first), int(last))) as copy:
        for block in copy:
            row = bytes(block)
            if row.startswith(_SIGNATURE):
                row = row[_HEADER_BYTES:]
            if row and row != _TRAILER:
                yield row


def position_of(row: bytes) -> int:
    """Return the position in an event's canonical bytes."""
    return int.from_bytes(row[6:14], "big")


def state_of(row: bytes) -> bytes:
    """Return the stored state in an event's canonical bytes."""
    return row[54 + int.from_bytes(row[46:50], "big") :]
