"""The log: every event in the order of its position, read in batches, awaited by NOTIFY."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.event import Fact
from ledger.store.gate import CHANNEL
from ledger.store.mapper import fact_of

Reading = Callable[[str, bytes], Fact]


class Logged(msgspec.Struct, frozen=True, gc=False):
    """An event where it stands in the ledger."""

    position: int
    stream: UUID
    version: int
    fact: Fact


def read_log(
    connection: Connection[Any],
    *,
    after: int,
    upto: int | None = None,
    limit: int = 1_000,
    reading: Reading = fact_of,
) -> list[Logged]:
    """Return up to `limit` events after a position, in order.

    `reading` makes a fact of its topic and stored bytes: whoever needs a part of each may read that alone.
    """
    return _read(connection, _READ, after, upto, limit, reading)


def read_control_log(
    connection: Connection[Any], *, after: int, upto: int | None = None, limit: int = 1_000
) -> list[Logged]:
    """Return up to `limit` events after a position that are not of meter streams, passing over all debits."""
    return _read(connection, _READ_CONTROL, after, upto, limit, fact_of)


def read_priced_by_log(connection: Connection[Any], *, after: int, upto: int, limit: int = 1_000) -> list[Logged]:
    """Return up to `limit` events after a position that pricing depends on: of supply points and tariffs."""
    return _read(connection, _READ_PRICED_BY, after, upto, limit, fact_of)


def read_log_naming(
    connection: Connection[Any], *, codes: Collection[str], after: int, upto: int | None = None
) -> list[Logged]:
    """Return the events after a position that hold one of these codes as a text, in order; few of very many.

    They are found in the server, at half a million a second; to send and decode all takes ten times as long.
    """
    texts = [msgspec.json.encode(code) for code in sorted(codes)]
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute(_READ_NAMING, (after, 2**62 if upto is None else upto, texts), prepare=True)
        return [Logged(row[0], row[1], row[2], fact_of(row[3], row[4])) for row in cursor.fetchall()]


def newest_of(
    connection: Connection[Any], *, streams: Sequence[UUID], reading: Reading = fact_of
) -> dict[UUID, Logged]:
    """Return the newest event of each stream that has one: one index probe per stream, however long it is."""
    # Binary as in `_read`.
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute(
            "SELECT e.notification_id, s.id, e.originator_version, e.topic, e.state"
            " FROM unnest(%s::uuid[]) AS s (id) CROSS JOIN LATERAL ("
            "  SELECT notification_id, originator_version, topic, state FROM ledger.events"
            "  WHERE originator_id = s.id ORDER BY originator_version DESC LIMIT 1) AS e",
            (list(streams),),
        )
        return {row[1]: Logged(row[0], row[1], row[2], reading(row[3], row[4])) for row in cursor}


def head_of(connection: Connection[Any]) -> tuple[int, int]:
    """Return the ledger's newest position and that of the newest control change."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SELECT head, control_head FROM ledger.gate", prepare=True)
        row = cursor.fetchone()
    if row is None:
        raise RuntimeError("ledger.gate has lost its row; restore the database from its backup")
    return row[0], row[1]


def listen(connection: Connection[Any]) -> None:
    """Ask to be woken by `await_news` when the log grows.

    Needs a connection in autocommit mode that does nothing else: news that comes while it reads would be lost.
    """
    connection.execute(f"LISTEN {CHANNEL}")


def await_news(connection: Connection[Any], *, timeout_s: float) -> bool:
    """Wait until the log may have grown or the time-out ends; tell which."""
    return any(True for _ in connection.notifies(timeout=timeout_s, stop_after=1))


# No upper bound: of a table without statistics PostgreSQL believes that a range between two bounds holds a
# two-hundredth of the rows. It would then read and sort all that comes after a position, for every page anew.
_READ = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %s
ORDER BY notification_id LIMIT %s
"""
# A partial index serves this one: its condition must stand here word for word.
_READ_CONTROL = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %s AND topic NOT LIKE 'meter.%%'
ORDER BY notification_id LIMIT %s
"""
# The same index; what money does to accounts, most of it by far, is passed over in the server. Told by the first
# seven letters, of which PostgreSQL makes no estimate: LIKE would be believed to leave next to nothing, as above.
_READ_PRICED_BY = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %s AND topic NOT LIKE 'meter.%%'
    AND strpos('supply. tariff.', left(topic, 7)) > 0
ORDER BY notification_id LIMIT %s
"""
_READ_NAMING = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %s AND notification_id <= %s
    AND EXISTS (SELECT FROM unnest(%s::bytea[]) AS named (code) WHERE position(code in state) > 0)
ORDER BY notification_id
"""


def _read(
    connection: Connection[Any], query: LiteralString, after: int, upto: int | None, limit: int, reading: Reading
) -> list[Logged]:
    if upto is not None:
        limit = min(limit, max(upto - after, 0))
    # Binary, for as text each byte of a fact would be written as two digits and read again.
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        cursor.execute(query, (after, limit), prepare=True)
        return [
            Logged(position, stream, version, reading(topic, state))
            for position, stream, version, topic, state in cursor.fetchall()
            if upto is None or position <= upto
        ]
