"""Open holds: readings that were not billed and wait for somebody, or for the register to make sense again."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row


@dataclass(frozen=True, slots=True)
class OpenHold:
    """A held reading: why, since when by the meter's own time, and the energy that it claims beyond the bills.

    `position` is that of its event in the ledger, by which an operator names it.
    """

    position: int
    supply: str
    meter: str
    reason: str
    detail: str
    read_at: datetime
    claimed_milliwh: Decimal


def open_holds(connection: Connection[Any]) -> list[OpenHold]:
    """Return every open hold, by supply and in the order of the ledger."""
    with connection.cursor(row_factory=class_row(OpenHold)) as cursor:
        return cursor.execute(
            "SELECT position, supply, meter, reason, detail, read_at, claimed_milliwh FROM projections.held_readings"
            " WHERE is_open ORDER BY supply, position"
        ).fetchall()


def open_hold_count(connection: Connection[Any]) -> int:
    """Return how many holds are open."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        row = cursor.execute("SELECT count(*) FROM projections.held_readings WHERE is_open").fetchone()
    return int(row or 0)
