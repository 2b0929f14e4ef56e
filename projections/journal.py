"""The journal's aggregates: postings per UTC day of recording, code and account; and per block of positions and code.

The journal itself is a view over the events' own postings (projections.journal).
"""

from collections.abc import Sequence
from datetime import UTC, date
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.store.log import Logged
from projections.model import ReadModel, Table, columns
from projections.postings import postings_of

Key = tuple[date, str, str]
# As the migration that made the table has it, too.
BLOCK_POSITIONS = 10_000


def fold(events: Sequence[Logged]) -> dict[Key, tuple[int, int]]:
    """Return the sum in micro-units and the number of postings that a batch adds per day, code and account."""
    totals: dict[Key, tuple[int, int]] = {}
    for event in events:
        postings = postings_of(event.fact)
        if not postings:
            continue
        day = event.fact.recorded_at.astimezone(UTC).date()
        for posting in postings:
            key = (day, posting.code, posting.account)
            amount_micros, count = totals.get(key, (0, 0))
            totals[key] = (amount_micros + posting.amount_micros, count + 1)
    return totals


def fold_blocks(events: Sequence[Logged]) -> dict[tuple[int, str], tuple[int, int]]:
    """Return the sum in micro-units and the number of postings that a batch adds per block of positions and code."""
    totals: dict[tuple[int, str], tuple[int, int]] = {}
    for event in events:
        block = (event.position - 1) // BLOCK_POSITIONS
        for posting in postings_of(event.fact):
            amount_micros, count = totals.get((block, posting.code), (0, 0))
            totals[block, posting.code] = (amount_micros + posting.amount_micros, count + 1)
    return totals


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
    totals = fold(events)
    if not totals:
        return
    cursor.execute(
        _UPSERT.format(schema=Identifier(schema)),
        (
            [day for day, _, _ in totals],
            [code for _, code, _ in totals],
            [account for _, _, account in totals],
            [amount_micros for amount_micros, _ in totals.values()],
            [count for _, count in totals.values()],
        ),
    )
    rows = [(*key, *total) for key, total in fold_blocks(events).items()]
    cursor.execute(_UPSERT_BLOCKS.format(schema=Identifier(schema)), columns(rows))


MODEL = ReadModel(
    "journal",
    (Table("journal_daily", ("day", "code", "account")), Table("journal_blocks", ("block", "code"))),
    project,
)
