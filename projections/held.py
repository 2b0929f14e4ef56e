"""Held readings: what was not billed and why, and whether its episode is still open."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain.meter import Episode, ReadingHeld, UsageCorrected, UsageDebited
from ledger.store.log import Logged
from projections.model import ReadModel, Table, columns

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


def fold(events: Sequence[Logged]) -> list[tuple[str, UUID, int]]:
    """Return each supply's runs of the same episode: its first reading, and the position up to which it lasted.

    A hold is closed by any later event of its supply in another episode or in none; whether that event came in the
    same batch must make no difference, so a run that ended within the batch is told too.
    """
    runs: list[tuple[str, UUID, int]] = []
    newest: dict[str, int] = {}
    for event in events:
        fact = event.fact
        if not isinstance(fact, UsageDebited | UsageCorrected | ReadingHeld):
            continue
        run = (fact.supply, _reading_of(fact.state.episode), event.position)
        at = newest.get(fact.supply)
        if at is not None and runs[at][1] == run[1]:
            runs[at] = run
        else:
            newest[fact.supply] = len(runs)
            runs.append(run)
    return runs


def _reading_of(episode: Episode | None) -> UUID:
    return NO_READING if episode is None else episode.reading


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
    if runs := fold(events):
        cursor.execute(_CLOSE.format(schema=Identifier(schema)), columns(runs))


MODEL = ReadModel("held", (Table("held_readings", ("position",)),), project)
