"""Links between events: from one to those that undid, corrected or resolved it, which themselves name it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from ledger.domain.event import Fact
from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import ReadModel, Table

# The fields by which facts name others. A fact's own topic says what it is to them.
_NAMING = ("top_up_position", "debit_position", "about_position", "remedy_position", "receipt_position")

_INSERT = SQL("""
INSERT INTO {schema}.event_links (original, position, relation)
SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) ON CONFLICT DO NOTHING
""")
_LINKS = """
SELECT original, position, relation FROM projections.event_links
WHERE original = %(position)s OR position = %(position)s ORDER BY original, position
"""


@dataclass(frozen=True, slots=True)
class Link:
    """The event at `position` names the one at `original`, as what its relation says: `account.refunded/1`."""

    original: int
    position: int
    relation: str


def named_by(fact: Fact) -> Iterator[int]:
    """Yield the positions that a fact names."""
    for name in _NAMING:
        position = getattr(fact, name, 0)
        if position:
            yield position


def links_of(connection: Connection[Any], *, position: int) -> list[Link]:
    """Return the links from and to the event at a position."""
    with connection.cursor(row_factory=class_row(Link)) as cursor:
        return cursor.execute(_LINKS, {"position": position}).fetchall()


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add the links that a batch makes."""
    rows = [
        (original, event.position, event.fact.topic) for event in events for original in sorted(named_by(event.fact))
    ]
    if rows:
        cursor.execute(_INSERT.format(schema=Identifier(schema)), columns(rows))


MODEL = ReadModel("links", (Table("event_links", ("original", "position")),), project, passes_over_usage=True)
