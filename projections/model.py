"""What a read model is: a name, its tables, how a batch of events changes them, and the digest of what they hold."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor
from psycopg.sql import SQL, Identifier

from ledger.store.log import Logged
from projections.outline import UsageOutline

LIVE = "projections"


@dataclass(frozen=True, slots=True)
class Feed:
    """A batch in the order of the ledger: every event, and those among them that are more than plain usage."""

    events: Sequence[Logged]
    beside_usage: Sequence[Logged]


def feed_of(events: Sequence[Logged]) -> Feed:
    """Return a batch as read models are fed it; told apart once, for nearly every event is usage."""
    return Feed(events, [event for event in events if type(event.fact) is not UsageOutline])


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a read model and the columns that identify its rows."""

    name: str
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A read model.

    `project(cursor, events, schema)` folds a batch in the order of the ledger and writes it with one statement per
    table. The schema is a parameter so that a rebuild can fill temporary tables with the very same code. Feeding the
    same events in batches of any size must leave the same rows (design I5). One that `passes_over_usage` is fed none.
    """

    name: str
    tables: tuple[Table, ...]
    project: Callable[[Cursor[Any], Sequence[Logged], str], None]
    passes_over_usage: bool = False

    def take(self, cursor: Cursor[Any], feed: Feed, *, schema: str = LIVE) -> None:
        """Project what this read model is fed of a batch."""
        self.project(cursor, feed.beside_usage if self.passes_over_usage else feed.events, schema)

    def digest(self, connection: Connection[Any], *, schema: str = LIVE) -> str:
        """Return the SHA-256, in hex, of every row in the order of the keys."""
        digest = hashlib.sha256()
        with connection.transaction(), connection.cursor() as cursor:
            # Text of dates and times follows the session: pinned, so that a digest is the same from anywhere.
            cursor.execute("SET LOCAL datestyle = 'ISO, YMD'")
            cursor.execute("SET LOCAL timezone = 'UTC'")
            for table in self.tables:
                digest.update(f"table {table.name}\n".encode())
                keys = SQL(", ").join(Identifier(column) for column in table.key)
                query = SQL("COPY (SELECT * FROM {}.{} ORDER BY {}) TO STDOUT")
                with cursor.copy(query.format(Identifier(schema), Identifier(table.name), keys)) as copy:
                    for block in copy:
                        digest.update(block)
        return digest.hexdigest()
