"""Held readings: what was not billed and why, and whether its episode is still open."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain.meter import Episode, MeterState, ReadingHeld
from ledger.domain.meter_life import BaseChanged, HoldSettled, SerialConfirmed
from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import ReadModel, Table
from projections.outline import StateOutline

# Stands for "no episode": no reading has this id.
NO_READING = UUID(int=0)

_INSERT = SQL("""
INSERT INTO {schema}.held_readings
    (supply, meter, reading, reason, detail, read_at, claimed_milliwh, opened_episode, is_open, position)
SELECT supply, meter, reading, reason, detail, read_at, claimed_milliwh, opened_episode, true, position
FROM unnest(%s::text[], %s::text[], %s::uuid[], %s::text[], %s::text[], %s::timestamptz[], %s::numeric[],
            %s::boolean[], %s::bigint[])
    AS n (supply, meter, reading, reason, detail, read_at, claimed_milliwh, opened_episode, position)
""")
_CLOSE = SQL("""
UPDATE {schema}.held_readings AS h SET is_open = false
FROM unnest(%s::text[], %s::uuid[], %s::bigint[]) AS n (supply, reading, position)
WHERE h.supply = n.supply AND h.opened_episode AND h.is_open AND h.reading <> n.reading AND h.position < n.position
""")

_SETTLE = SQL("""
UPDATE {schema}.held_readings AS h SET is_open = false
FROM unnest(%s::text[], %s::uuid[], %s::bigint[]) AS n (supply, reading, position)
WHERE h.supply = n.supply AND h.reading = n.reading AND h.is_open AND h.position < n.position
""")
_UNCROSS = SQL("""
UPDATE {schema}.held_readings AS h SET is_open = false
FROM unnest(%s::text[], %s::bigint[]) AS n (supply, position)
WHERE h.supply = n.supply AND h.reason = 'crossed-meter' AND h.is_open AND h.position < n.position
""")


_OPENED = SQL("SELECT DISTINCT supply FROM {schema}.held_readings WHERE opened_episode AND is_open")


def fold(events: Sequence[Logged], supplies: Collection[str]) -> list[tuple[str, UUID, int]]:
    """Return these supplies' runs of the same episode: its first reading, and the position up to which it lasted.

    A hold is closed by any later event of its supply in another episode or in none; whether that event came in the
    same batch must make no difference, so a run that ended within the batch is told too.
    """
    runs: list[tuple[str, UUID, int]] = []
    newest: dict[str, int] = {}
    for event in events:
        fact = event.fact
        supply: str = getattr(fact, "supply", "")
        if supply not in supplies:
            continue
        state: MeterState | StateOutline | None = getattr(fact, "state", None)
        if state is None or not fact.topic.startswith("meter."):
            continue
        run = (supply, _reading_of(state.episode), event.position)
        at = newest.get(supply)
        if at is not None and runs[at][1] == run[1]:
            runs[at] = run
        else:
            newest[supply] = len(runs)
            runs.append(run)
    return runs


def _reading_of(episode: Episode | None) -> UUID:
    return NO_READING if episode is None or episode.is_dismissed else episode.reading


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch's held readings, then close those whose episode is over."""
    held = [
        (f.supply, f.meter, f.reading, f.reason, f.detail, f.read_at, f.claimed_milliwh,
         _reading_of(f.state.episode) == f.reading, event.position)
        for event in events
        if isinstance(f := event.fact, ReadingHeld)
    ]  # fmt: skip
    if held:
        cursor.execute(_INSERT.format(schema=Identifier(schema)), columns(held))
    # Mostly none: nearly all supplies are as they should be, and their events close nothing.
    opened = {supply for (supply,) in cursor.execute(_OPENED.format(schema=Identifier(schema)))}
    if runs := fold(events, opened):
        cursor.execute(_CLOSE.format(schema=Identifier(schema)), columns(runs))
    settled = [(e.fact.supply, e.fact.reading, e.position) for e in events if isinstance(e.fact, HoldSettled)]
    if settled:
        cursor.execute(_SETTLE.format(schema=Identifier(schema)), columns(settled))
    # Another meter, or the right one again: what a crossed one said is of no account.
    uncrossed = [(e.fact.supply, e.position) for e in events if isinstance(e.fact, SerialConfirmed | BaseChanged)]
    if uncrossed:
        cursor.execute(_UNCROSS.format(schema=Identifier(schema)), columns(uncrossed))


MODEL = ReadModel("held", (Table("held_readings", ("position",)),), project)
