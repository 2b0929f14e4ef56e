"""Rebuilding a read model from event one, beside the live one, and putting it in its place (design I5)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from ledger.store.log import read_log
from projections.catalogue import named
from projections.model import LIVE, ReadModel, feed_of
from projections.outline import outline_of
from projections.process import connect
from projections.project import held_position, move, register, tracked

SHADOW = "pg_temp"
BATCH = 5_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A read model rebuilt at a position: its digest, that of the live one there, and the events it was fed."""

    name: str
    position: int
    digest: str
    live_digest_before: str
    events: int

    @property
    def is_equal(self) -> bool:
        """Whether the live read model held exactly what its events say."""
        return self.digest == self.live_digest_before


def rebuild(url: str, name: str, *, batch: int = BATCH, progress: Progress | None = None) -> Rebuilt:
    """Rebuild a read model and swap it in, while the runner goes on; `progress` gets position and target.

    The runner waits only for the swap, which takes as long as copying the rows. Raises NotFound for a name that no
    read model has, and psycopg's errors; the live rows are untouched then.
    """
    model = named(name)
    with connect(url, name=f"rebuild {name}") as connection:
        register(connection, models=[model])
        make_shadow(connection, model)
        builder = Builder(connection, model, batch, progress)
        # Most of the way while the live one moves on, the rest while it stands still.
        builder.build(upto=tracked(connection)[model.name])
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            position = held_position(cursor, names=[model.name])[model.name]
            builder.build(upto=position)
            live_digest = model.digest(connection)
            digest = model.digest(connection, schema=SHADOW)
            _swap(cursor, model)
            move(cursor, names=[model.name], position=position)
    return Rebuilt(name=name, position=position, digest=digest, live_digest_before=live_digest, events=builder.events)


def make_shadow(connection: Connection[Any], model: ReadModel) -> None:
    """Make empty temporary copies of a read model's tables."""
    for table in model.tables:
        connection.execute(
            SQL("CREATE TEMPORARY TABLE {} (LIKE {}.{} INCLUDING DEFAULTS INCLUDING INDEXES)").format(
                Identifier(table.name), Identifier(LIVE), Identifier(table.name)
            )
        )


@dataclass(slots=True)
class Builder:
    """Feeds the shadow of a read model, from the first event on."""

    connection: Connection[Any]
    model: ReadModel
    batch: int
    progress: Progress | None
    position: int = 0
    events: int = 0

    def build(self, *, upto: int) -> None:
        """Feed the shadow tables every event up to and including a position."""
        while self.position < upto:
            events = read_log(self.connection, after=self.position, upto=upto, limit=self.batch, reading=outline_of)
            if not events:
                return
            with self.connection.transaction(), self.connection.cursor(row_factory=tuple_row) as cursor:
                self.model.take(cursor, feed_of(events), schema=SHADOW)
            self.position = events[-1].position
            self.events += len(events)
            if self.progress:
                self.progress(self.position, upto)


def _swap(cursor: Cursor[Any], model: ReadModel) -> None:
    """Replace the live rows; by DELETE, not TRUNCATE, so that no reader ever sees an empty read model."""
    for table in model.tables:
        live = SQL("{}.{}").format(Identifier(LIVE), Identifier(table.name))
        shadow = SQL("{}.{}").format(Identifier(SHADOW), Identifier(table.name))
        cursor.execute(SQL("DELETE FROM {}").format(live))
        cursor.execute(SQL("INSERT INTO {} SELECT * FROM {}").format(live, shadow))
