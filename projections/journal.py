"""The journal's aggregates: postings per UTC day of recording, code and account; and per block of positions and code.

The journal itself is a view over the events' own postings (projections.journal).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import ReadModel, Table
from projections.postings import Frame, postings_of

# As the migration that made the table has it, too.
BLOCK_POSITIONS = 10_000


@dataclass(slots=True)
class Sums:
    """What a batch adds: micro-units and number of postings, by code and account, within each day and block."""

    frames: dict[tuple[date, int], Frame] = field(default_factory=dict)

    def add(self, events: Sequence[Logged]) -> None:
        """Add a batch's postings. Neighbours were mostly recorded together, so the day is looked at once for all."""
        recorded_at, block, frame = None, -1, Frame()
        for event in events:
            postings = postings_of(event.fact)
            if not postings:
                continue
            here = (event.position - 1) // BLOCK_POSITIONS
            if here != block or event.fact.recorded_at != recorded_at:
                block, recorded_at = here, event.fact.recorded_at
                frame = self.frames.setdefault((recorded_at.astimezone(UTC).date(), block), Frame())
            frame.add(postings)

    def by_day(self) -> list[tuple[date, str, str, int, int]]:
        """Return rows of day, code, account, micro-units and number of postings."""
        days: dict[date, Frame] = {}
        for (day, _), frame in self.frames.items():
            days.setdefault(day, Frame()).merge(frame)
        return [(day, *row) for day, frame in days.items() for row in frame.rows()]

    def by_block(self) -> list[tuple[int, str, int, int]]:
        """Return rows of block, code, micro-units and number of postings."""
        blocks: dict[tuple[int, str], list[int]] = {}
        for (_, block), frame in self.frames.items():
            for code, _, amount_micros, count in frame.rows():
                total = blocks.setdefault((block, code), [0, 0])
                total[0] += amount_micros
                total[1] += count
        return [(block, code, total[0], total[1]) for (block, code), total in blocks.items()]


_UPSERT = SQL("""
INSERT INTO {schema}.journal_daily AS j (day, code, account, amount, postings)
SELECT day, code, account, amount_micros * 0.000001, postings
FROM unnest(%s::date[], %s::text[], %s::text[], %s::numeric[], %s::bigint[])
    AS n (day, code, account, amount_micros, postings)
ON CONFLICT (day, code, account) DO UPDATE SET
    amount = j.amount + excluded.amount,
    postings = j.postings + excluded.postings
""")
_UPSERT_BLOCKS = SQL("""
INSERT INTO {schema}.journal_blocks AS j (block, code, amount, postings)
SELECT block, code, amount_micros * 0.000001, postings
FROM unnest(%s::bigint[], %s::text[], %s::numeric[], %s::bigint[]) AS n (block, code, amount_micros, postings)
ON CONFLICT (block, code) DO UPDATE SET
    amount = j.amount + excluded.amount,
    postings = j.postings + excluded.postings
""")


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the aggregates."""
    sums = Sums()
    sums.add(events)
    if not sums.frames:
        return
    cursor.execute(_UPSERT.format(schema=Identifier(schema)), columns(sums.by_day()))
    cursor.execute(_UPSERT_BLOCKS.format(schema=Identifier(schema)), columns(sums.by_block()))


MODEL = ReadModel(
    "journal",
    (Table("journal_daily", ("day", "code", "account")), Table("journal_blocks", ("block", "code"))),
    project,
)
