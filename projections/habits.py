"""Habits: what each account's hours of the week cost, from which the days that its credit lasts are forecast."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier, Literal

from ledger.domain.credit.forecast import HOURS_PER_WEEK, Habit, costs_by_hour, hour_of, runs_out_at
from ledger.domain.meter import TimeChargeDebited
from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import LIVE, ReadModel, Table
from projections.outline import USAGE

# As `taken_in` of the forecast says: what comes later than the next such hour tells nothing any more.
_UPSERT = SQL("""
INSERT INTO {schema}.habits AS h (account, slot, hour, cost_micros, mean_micros)
SELECT account, hour %% {hours_per_week}, hour, cost_micros, -1
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n (account, hour, cost_micros)
ON CONFLICT (account, slot) DO UPDATE SET
    hour = excluded.hour,
    cost_micros = CASE WHEN h.hour = excluded.hour THEN h.cost_micros ELSE 0 END + excluded.cost_micros,
    mean_micros = CASE
        WHEN h.hour = excluded.hour THEN h.mean_micros
        WHEN h.mean_micros < 0 THEN h.cost_micros
        ELSE (h.mean_micros + h.cost_micros + 1) >> 1
    END
WHERE h.hour <= excluded.hour
""")

Row = tuple[str, int, int]


def fold(events: Sequence[Logged]) -> list[list[Row]]:
    """Return what a batch tells: rows of account, hour and cost in rounds, one statement each.

    No round has two rows of one account and hour of the week: where a batch has several weeks of an account, the
    hours of each follow in a round of their own.
    """
    newest: dict[tuple[str, int], tuple[int, int]] = {}
    before: list[list[Row]] = []
    weeks: dict[tuple[str, int], int] = {}
    for account, hour, cost in _costs(events):
        key = (account, hour % HOURS_PER_WEEK)
        known = newest.get(key)
        if known is None:
            newest[key] = (hour, cost)
        elif known[0] == hour:
            newest[key] = (hour, known[1] + cost)
        elif known[0] < hour:
            week = weeks[key] = weeks.get(key, -1) + 1
            if week == len(before):
                before.append([])
            before[week].append((account, *known))
            newest[key] = (hour, cost)
    return [*before, [(account, *known) for (account, _), known in newest.items()]]


def _costs(events: Sequence[Logged]) -> Iterator[Row]:
    """Yield account, hour and cost of what was used, in the order of the ledger."""
    for event in events:
        fact = event.fact
        if isinstance(fact, USAGE):
            for hour, cost in costs_by_hour(fact.started_at, fact.ended_at, fact.amount_micros):
                yield fact.account, hour, cost
        elif isinstance(fact, TimeChargeDebited):
            # As it is booked: whole, when its day is over.
            yield fact.account, hour_of(fact.ended_at), fact.amount_micros


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Take a batch into the habits of the accounts that it debits."""
    query = _UPSERT.format(schema=Identifier(schema), hours_per_week=Literal(HOURS_PER_WEEK))
    for rows in fold(events):
        if rows:
            cursor.execute(query, columns(rows))


def habits_of(
    connection: Connection[Any], accounts: Collection[str], *, schema: str = LIVE
) -> dict[str, dict[int, Habit]]:
    """Return the habits of accounts by hour of the week, as far as events are projected."""
    found: dict[str, dict[int, Habit]] = {account: {} for account in accounts}
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            SQL("SELECT account, slot, hour, cost_micros, mean_micros FROM {}.habits WHERE account = ANY(%s)").format(
                Identifier(schema)
            ),
            (sorted(accounts),),
        )
        for account, slot, *rest in cursor:
            found[account][slot] = Habit(*rest)
    return found


def credit_runs_out_at(
    connection: Connection[Any], *, account: str, spare_micros: int, now: datetime
) -> datetime | None:
    """Return when so much credit above the line at which an account is cut is used up; None where nobody knows."""
    return runs_out_at(habits_of(connection, [account])[account], spare_micros, now)


MODEL = ReadModel("habits", (Table("habits", ("account", "slot")),), project)
