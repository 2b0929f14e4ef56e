"""How far the calendar's ticks are applied, per concentrator: moved in the transaction that charges them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, tuple_row

# A tick of an earlier date moves nothing back: what it would charge is charged, and it only counts.
_MOVE = """
INSERT INTO ledger.ticks AS t (concentrator, local_date, applied)
SELECT * FROM unnest(%s::text[], %s::date[], %s::bigint[])
ON CONFLICT (concentrator) DO UPDATE SET
    local_date = greatest(t.local_date, excluded.local_date),
    applied = t.applied + excluded.applied
"""


@dataclass(slots=True)
class TickProgress:
    """The last date applied in a batch, and how many ticks it had, repeats included."""

    local_date: date
    applied: int = 0


def ticked_to(connection: Connection[Any]) -> dict[str, date]:
    """Return the last local date whose tick is applied, by concentrator."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute("SELECT concentrator, local_date FROM ledger.ticks").fetchall())


def move_ticks(cursor: Cursor[TupleRow], moved: Mapping[str, TickProgress]) -> None:
    """Record how far ticks are applied, within the transaction that holds the gate."""
    rows = sorted(moved.items())
    if rows:
        columns = (
            [concentrator for concentrator, _ in rows],
            [progress.local_date for _, progress in rows],
            [progress.applied for _, progress in rows],
        )
        cursor.execute(_MOVE, columns, prepare=True)
