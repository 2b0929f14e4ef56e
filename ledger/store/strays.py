"""Stray readings that came under a concentrator their supply point had left: taken in once, by its owner now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row

from ledger.domain.meter import Source
from ledger.wire import Reading

_AT_ONCE = 1_000
_decode = msgspec.json.Decoder(Reading).decode

# An index serves this one, which is nearly always empty: its condition must stand here word for word.
_WAITING = """
SELECT id, meter, reading::text, partition, message_offset, coalesce(published_at, kept_at), collector, sequence
FROM ledger.stray_readings
WHERE reason = 'other-concentrator' AND taken_at IS NULL AND meter = ANY(%s)
ORDER BY id LIMIT %s
"""
_ANY_WAITING = """
SELECT EXISTS (SELECT FROM ledger.stray_readings WHERE reason = 'other-concentrator' AND taken_at IS NULL)
"""
_TAKEN = "UPDATE ledger.stray_readings SET taken_at = now() WHERE id = ANY(%s) AND taken_at IS NULL"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stray reading with the message that it came in."""

    number: int
    meter: str
    reading: Reading
    source: Source


def is_any_waiting(connection: Connection[Any]) -> bool:
    """Tell whether there are strays at all that nobody took in yet; nearly always there are none."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_ANY_WAITING, prepare=True).fetchone() == (True,)


def waiting(connection: Connection[Any], *, meters: Sequence[str]) -> list[Waiting]:
    """Return the strays of these meters that nobody took in yet, in the order in which they were kept."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_WAITING, (list(meters), _AT_ONCE), prepare=True)
        return [
            Waiting(number, meter, _decode(reading), Source(partition or 0, offset or 0, at, collector, sequence))
            for number, meter, reading, partition, offset, at, collector, sequence in cursor
        ]


def mark_taken(cursor: Cursor[TupleRow], numbers: Iterable[int]) -> bool:
    """Record that these were taken in; tell whether none of them had been before."""
    wanted = list(numbers)
    if not wanted:
        return True
    cursor.execute(_TAKEN, (wanted,), prepare=True)
    return cursor.rowcount == len(wanted)
