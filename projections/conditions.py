"""Conditions of accounts: debt, what is disputed, the notice before which nobody is cut, whether they are closed."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from ledger.domain import chart
from ledger.domain.account_facts import UNDOING, AccountClosed, DisputeOpened, DisputeResolved
from ledger.domain.event import Fact
from ledger.store.log import Logged
from projections.model import LIVE, ReadModel, Table, columns
from projections.postings import postings_of


@dataclass(frozen=True, slots=True)
class Condition:
    """An account's condition; amounts in micro-units. `disputed_micros` is of `disputes` open disputes."""

    debt_micros: int = 0
    disputed_micros: int = 0
    disputes: int = 0
    notice_until: datetime | None = None
    is_closed: bool = False

    def spares(self, now: datetime) -> bool:
        """Tell whether nobody is cut for credit now: a dispute is open, or a notice runs."""
        return self.disputes > 0 or (self.notice_until is not None and now < self.notice_until)


CLEAR = Condition()


def accounts_of(fact: Fact) -> set[str]:
    """Return the accounts whose condition a fact may change."""
    accounts = {posting.account for posting in postings_of(fact) if posting.code == chart.DEBT}
    if isinstance(fact, (DisputeOpened, DisputeResolved, AccountClosed, *UNDOING)):
        accounts.add(fact.account)
    return accounts


def changed(condition: Condition, account: str, fact: Fact) -> Condition:
    """Apply a fact to an account's condition."""
    debt = condition.debt_micros + sum(
        posting.amount_micros
        for posting in postings_of(fact)
        if posting.code == chart.DEBT and posting.account == account
    )
    disputed, disputes, notice = condition.disputed_micros, condition.disputes, condition.notice_until
    if isinstance(fact, DisputeOpened):
        disputed, disputes = disputed + fact.amount_micros, disputes + 1
    elif isinstance(fact, DisputeResolved):
        disputed, disputes = disputed - fact.amount_micros, disputes - 1
    elif isinstance(fact, UNDOING) and fact.notice_until is not None:
        notice = fact.notice_until if notice is None else max(notice, fact.notice_until)
    return Condition(debt, disputed, disputes, notice, condition.is_closed or isinstance(fact, AccountClosed))


_READ = SQL("""
SELECT account, (debt * 1000000)::bigint, (disputed * 1000000)::bigint, disputes, notice_until, is_closed
FROM {schema}.account_conditions WHERE account = ANY(%s)
""")
_UPSERT = SQL("""
INSERT INTO {schema}.account_conditions (account, debt, disputed, disputes, notice_until, is_closed, position)
SELECT account, debt * 0.000001, disputed * 0.000001, disputes, notice_until, is_closed, position
FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::bigint[], %s::timestamptz[], %s::boolean[], %s::bigint[])
    AS n (account, debt, disputed, disputes, notice_until, is_closed, position)
ON CONFLICT (account) DO UPDATE SET
    debt = excluded.debt, disputed = excluded.disputed, disputes = excluded.disputes,
    notice_until = excluded.notice_until, is_closed = excluded.is_closed, position = excluded.position
""")


def conditions(connection: Connection[Any], *, accounts: Collection[str], schema: str = LIVE) -> dict[str, Condition]:
    """Return the projected condition of each account that is in one."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_READ.format(schema=Identifier(schema)), (sorted(accounts),))
        return {row[0]: Condition(*row[1:]) for row in cursor}


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the conditions of the accounts that it touches."""
    touched = [(event, accounts) for event in events if (accounts := accounts_of(event.fact))]
    if not touched:
        return
    every = {account for _, accounts in touched for account in accounts}
    found = conditions(cursor.connection, accounts=every, schema=schema)
    positions: dict[str, int] = {}
    for event, accounts in touched:
        for account in sorted(accounts):
            found[account] = changed(found.get(account, CLEAR), account, event.fact)
            positions[account] = event.position
    rows = [
        (
            account,
            row.debt_micros,
            row.disputed_micros,
            row.disputes,
            row.notice_until,
            row.is_closed,
            positions[account],
        )
        for account, row in found.items()
    ]
    cursor.execute(_UPSERT.format(schema=Identifier(schema)), columns(rows))


MODEL = ReadModel("conditions", (Table("account_conditions", ("account",)),), project)
