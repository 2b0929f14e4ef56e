"""Verifying every stream's versions: 1, 2, 3 … in the order of the ledger.

Within a stretch of the ledger that is a matter of remembering; where a stretch first meets a stream, the event before
is looked up, so that nothing is kept from one stretch to the next.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.integrity.findings import Finding
from ledger.integrity.rows import position_of

_AT_ONCE = 10_000
# For each event the version of its stream's event before it in the ledger: a probe of an index, a step or two back.
_BEFORE = """
SELECT met.number, (
    SELECT originator_version FROM ledger.events
    WHERE originator_id = met.stream AND originator_version <= met.version AND notification_id < met.position
    ORDER BY originator_version DESC LIMIT 1
)
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) WITH ORDINALITY AS met (stream, version, position, number)
WHERE met.version > 1
"""


def not_following(connection: Connection[Any], firsts: Sequence[bytes]) -> Iterator[Finding]:
    """Yield those among events, by the heads of their rows, that do not follow their stream's event before them."""
    for at in range(0, len(firsts), _AT_ONCE):
        met = firsts[at : at + _AT_ONCE]
        streams = [UUID(bytes=row[18:34]) for row in met]
        versions = [version_of(row) for row in met]
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(_BEFORE, (streams, versions, [position_of(row) for row in met]))
            found: dict[int, int | None] = dict(cursor.fetchall())
        for number, (row, version) in enumerate(zip(met, versions, strict=True), 1):
            before = found.get(number) or 0
            if version != before + 1:
                yield out_of_sequence(row, before=before)


def version_of(row: bytes) -> int:
    """Return an event's version in its stream."""
    return int.from_bytes(row[38:46], "big", signed=True)


def out_of_sequence(row: bytes, *, before: int) -> Finding:
    """Return the finding that an event does not follow its stream's event before it, which has this version."""
    position, stream = position_of(row), UUID(bytes=row[18:34])
    expected = f"version {before + 1} of stream {stream}"
    return Finding("versions", position, position, expected, f"version {version_of(row)}")
