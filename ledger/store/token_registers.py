"""What the registers of meters that take tokens showed: beside the ledger, for comparison with what was vended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, class_row

_KEEP = """
INSERT INTO tokens.registers (supply, read_at, register_milliwh)
SELECT * FROM unnest(%s::text[], %s::timestamptz[], %s::bigint[]) ON CONFLICT DO NOTHING
"""
_NEWEST = """
SELECT DISTINCT ON (supply) supply, read_at, register_milliwh FROM tokens.registers
WHERE supply = ANY (%s) AND read_at <= %s ORDER BY supply, read_at DESC
"""


@dataclass(frozen=True, slots=True)
class TokenRegister:
    """A register of a supply point's meter as it was read, all transformers counted."""

    supply: str
    read_at: datetime
    register_milliwh: int


def keep_registers(cursor: Cursor[TupleRow], registers: Iterable[TokenRegister]) -> None:
    """Keep readings; one that is known already changes nothing."""
    rows = [(one.supply, one.read_at, one.register_milliwh) for one in registers]
    if rows:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def newest_registers(
    connection: Connection[Any], supplies: Sequence[str], *, until: datetime
) -> dict[str, TokenRegister]:
    """Return the newest reading of each supply point that has one until an instant: clocks of meters may be ahead."""
    with connection.cursor(row_factory=class_row(TokenRegister)) as cursor:
        rows = cursor.execute(_NEWEST, (list(supplies), until)).fetchall()
    return {row.supply: row for row in rows}
