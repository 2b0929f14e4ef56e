"""How far supply points are billed, and which of them were written to since a position of the ledger."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger.domain.meter import MeterState
from ledger.domain.snapshot import PricingSnapshot
from ledger.store.log import head_of, newest_of, read_control_log
from ledger.values.identity import meter_stream

_WRITTEN = """
SELECT DISTINCT originator_id FROM ledger.events WHERE notification_id > %s AND topic LIKE 'meter.%%'
"""


def read_snapshot(connection: Connection[Any]) -> PricingSnapshot:
    """Return all supply points and tariffs as they are at the ledger's head."""
    snapshot = PricingSnapshot()
    head, _ = head_of(connection)
    while page := read_control_log(connection, after=snapshot.position, upto=head, limit=5_000):
        for entry in page:
            snapshot.apply(entry.fact)
        snapshot.position = page[-1].position
    snapshot.position = head
    return snapshot


def billed_to(connection: Connection[Any], *, supplies: Iterable[str]) -> dict[str, datetime]:
    """Return the instant up to which each supply point is billed; those of which nothing is billed are left out."""
    states = _states(connection, supplies)
    return {code: state.billed_to for code, state in states.items() if state.billed_to is not None}


def charged_to(connection: Connection[Any], *, supplies: Iterable[str]) -> dict[str, date]:
    """Return the local date up to which each supply point's time charges are posted; without any it is left out."""
    states = _states(connection, supplies)
    return {code: state.charged_to for code, state in states.items() if state.charged_to is not None}


def _states(connection: Connection[Any], supplies: Iterable[str]) -> dict[str, MeterState]:
    streams = {meter_stream(code): code for code in supplies}
    found: dict[str, MeterState] = {}
    for stream, entry in newest_of(connection, streams=list(streams)).items():
        state: MeterState | None = getattr(entry.fact, "state", None)
        if state is not None:
            found[streams[stream]] = state
    return found


def written_since(cursor: Cursor[TupleRow], *, position: int) -> set[UUID]:
    """Return the meter streams that were written to after a position."""
    return {row[0] for row in cursor.execute(_WRITTEN, (position,)).fetchall()}
