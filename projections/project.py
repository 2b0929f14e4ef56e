"""Projecting one batch: rows of every read model and their positions move in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from ledger.store.log import Logged
from projections.ahead import ReadAhead, read_page
from projections.model import ReadModel, feed_of

CHANNEL = "projections"


class Overtaken(Exception):
    """Someone else moved a read model while its batch was being prepared; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction did: the read models fed, and the events they were fed, of so many that were asked for."""

    models: tuple[str, ...]
    events: Sequence[Logged]
    limit: int


def register(connection: Connection[Any], *, models: Iterable[ReadModel]) -> None:
    """Give every read model its tracking row, at the beginning where it has none."""
    connection.execute(
        "INSERT INTO projections.tracking (name, position) SELECT unnest(%s::text[]), 0 ON CONFLICT DO NOTHING",
        ([model.name for model in models],),
    )


def tracked(connection: Connection[Any]) -> dict[str, int]:
    """Return the position of every read model that has one."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute("SELECT name, position FROM projections.tracking").fetchall())


def project_next(
    connection: Connection[Any], *, models: Sequence[ReadModel], limit: int, ahead: ReadAhead | None = None
) -> Batch | None:
    """Feed the read models that are furthest behind up to `limit` events; None where all are at the head.

    A read model that joined late is fed alone, and never past the next one's position, so that they end up side by
    side; once they are, pages are read ahead. The connection must be in autocommit mode. Raises Overtaken; try again
    then.
    """
    positions = tracked(connection)
    behind = min(positions[model.name] for model in models)
    fed = [model for model in models if positions[model.name] == behind]
    next_position = min((p for m in models if (p := positions[m.name]) > behind), default=None)
    if next_position is not None:
        ahead = None
    page = ahead.take(after=behind) if ahead is not None else None
    if page is None:
        page = read_page(connection, after=behind, upto=next_position, limit=limit)
    events = page.events
    if not events:
        return None
    if ahead is not None and page.is_full:
        ahead.start(after=events[-1].position, limit=limit)
    feed = feed_of(events)
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        _hold(cursor, fed, behind)
        for model in fed:
            model.take(cursor, feed)
        move(cursor, names=[model.name for model in fed], position=events[-1].position)
    return Batch(tuple(model.name for model in fed), events, page.limit)


def held_position(cursor: Cursor[Any], *, names: Sequence[str]) -> dict[str, int]:
    """Lock the read models' tracking rows until the transaction ends and return their positions."""
    cursor.execute(
        "SELECT name, position FROM projections.tracking WHERE name = ANY(%s) ORDER BY name FOR UPDATE",
        (list(names),),
    )
    return dict(cursor.fetchall())


def move(cursor: Cursor[Any], *, names: Sequence[str], position: int) -> None:
    """Move the read models to a position and wake whoever waits for that."""
    cursor.execute("UPDATE projections.tracking SET position = %s WHERE name = ANY(%s)", (position, list(names)))
    cursor.execute(f"NOTIFY {CHANNEL}")


def _hold(cursor: Cursor[Any], models: Sequence[ReadModel], position: int) -> None:
    found = held_position(cursor, names=[model.name for model in models])
    if set(found.values()) != {position} or len(found) != len(models):
        raise Overtaken(f"expected {[model.name for model in models]} at {position}, found {found}")
