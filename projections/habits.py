"""Habits: what each account's hours of the week cost, from which the days that its credit lasts are forecast."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from ledger.domain.credit.forecast import HOURS_PER_WEEK, Habit, costs_by_hour, hour_of, runs_out_at, taken_in
from ledger.domain.meter import TimeChargeDebited, UsageDebited
from ledger.store.log import Logged
from projections.model import LIVE, ReadModel, Table, columns

_READ = SQL("""
SELECT h.account, h.slot, h.hour, h.cost_micros, h.mean_micros FROM {schema}.habits AS h
JOIN unnest(%s::text[], %s::smallint[]) AS n (account, slot) ON h.account = n.account AND h.slot = n.slot
""")
_UPSERT = SQL("""
INSERT INTO {schema}.habits (account, slot, hour, cost_micros, mean_micros)
SELECT * FROM unnest(%s::text[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bigint[])
ON CONFLICT (account, slot) DO UPDATE SET
    hour = excluded.hour, cost_micros = excluded.cost_micros, mean_micros = excluded.mean_micros
""")


def _costs(events: Sequence[Logged]) -> Iterator[tuple[str, int, int]]:
    """Yield account, hour and cost of what was used, in the order of the ledger."""
    for event in events:
        match event.fact:
            case UsageDebited() as debit:
                for hour, cost in costs_by_hour(debit.started_at, debit.ended_at, debit.amount_micros):
                    yield debit.account, hour, cost
            case TimeChargeDebited() as charge:
                # As it is booked: whole, when its day is over.
                yield charge.account, hour_of(charge.ended_at), charge.amount_micros


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Take a batch into the habits of the accounts that it debits."""
    costs = list(_costs(events))
    if not costs:
        return
    touched = sorted({(account, hour % HOURS_PER_WEEK) for account, hour, _ in costs})
    with cursor.connection.cursor(row_factory=tuple_row) as reading:
        reading.execute(_READ.format(schema=Identifier(schema)), columns(touched))
        found = {(account, slot): Habit(*rest) for account, slot, *rest in reading}
    for account, hour, cost in costs:
        key = (account, hour % HOURS_PER_WEEK)
        found[key] = taken_in(found.get(key), hour, cost)
    rows = [(account, slot, *habit) for (account, slot), habit in found.items()]
    cursor.execute(_UPSERT.format(schema=Identifier(schema)), columns(rows))


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
