"""Events off the wire: rows of PostgreSQL's binary COPY, which are their canonical bytes behind RFC 6962's prefix."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from psycopg import Connection

# The columns in the order of `seals.event_bytes`.
_COPY = (
    "COPY (SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events"
    " WHERE notification_id BETWEEN %s AND %s ORDER BY notification_id) TO STDOUT (FORMAT BINARY)"
)
COPY_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
COPY_TRAILER = b"\xff\xff"


def event_rows(connection: Connection[Any], *, first: int, last: int) -> Iterator[bytes]:
    """Yield the row of every event from one position to another, in order; gaps are passed over."""
    with connection.cursor() as cursor, cursor.copy(_COPY % (int(first), int(last))) as copy:
        # The header comes glued to the first row, or to the trailer where there is none.
        first_row = bytes(copy.read()).removeprefix(COPY_HEADER)
        if first_row and first_row != COPY_TRAILER:
            yield first_row
        for block in copy:
            row = bytes(block)
            if row != COPY_TRAILER:
                yield row


def row_hash(row: bytes) -> bytes:
    """Return the leaf hash of an event: `merkle.leaf_hash` of its canonical bytes, whose prefix is there already."""
    return sha256(row).digest()


def position_of(row: bytes) -> int:
    """Return the position in an event's row."""
    return int.from_bytes(row[6:14], "big")
