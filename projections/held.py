"""Held readings: what was not billed and why, one row per episode."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain.meter import ReadingHeld
from ledger.store.log import Logged
from projections.model import ReadModel, Table

_INSERT = SQL("""
INSERT INTO {schema}.held_readings (supply, meter, reading, reason, detail, read_at, claimed_milliwh, position)
SELECT * FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::numeric[],
                     %s::bigint[])
""")


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch's held readings."""
    held = [(event.fact, event.position) for event in events if isinstance(event.fact, ReadingHeld)]
    if not held:
        return
    cursor.execute(
        _INSERT.format(schema=Identifier(schema)),
        (
            [fact.supply for fact, _ in held],
            [fact.meter for fact, _ in held],
            [fact.reading for fact, _ in held],
            [fact.reason for fact, _ in held],
            [fact.detail for fact, _ in held],
            [fact.read_at for fact, _ in held],
            [fact.claimed_milliwh for fact, _ in held],
            [position for _, position in held],
        ),
    )


MODEL = ReadModel("held", (Table("held_readings", ("position",)),), project)
