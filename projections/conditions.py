"""Conditions of accounts: debt, disputes, notices, emergency credit, what accrued, whether they are closed."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from ledger.domain import chart
from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import UNDOING, AccountClosed, DisputeOpened, DisputeResolved
from ledger.domain.credit.applying import part_micros
from ledger.domain.credit.facts import EmergencyCreditTaken, InstalmentCollected
from ledger.domain.credit.figures import AccountFigures
from ledger.domain.event import Fact
from ledger.domain.meter import BillingPeriodClosed, TimeChargeDebited
from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import LIVE, ReadModel, Table
from projections.postings import postings_of

_OWED = (chart.DEBT, chart.ACCRUED_CHARGES)
# Within this, charges that time alone made are of the same day.
_ONE_DAY_S_CHARGES = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Condition:
    """An account's condition; amounts in micro-units. `disputed_micros` is of `disputes` open disputes.

    The rest is what `ledger.domain.credit.figures` says of an account.
    """

    debt_micros: int = 0
    disputed_micros: int = 0
    disputes: int = 0
    notice_until: datetime | None = None
    is_closed: bool = False
    accrued_micros: int = 0
    emergency_limit_micros: int = 0
    collected_micros: int = 0
    collected_week: str = ""
    time_charges_micros: int = 0
    time_charged_at: datetime | None = None

    def figures(self, balance_micros: int) -> AccountFigures:
        """Return the account's figures with its balance."""
        return AccountFigures(
            balance_micros=balance_micros,
            disputed_micros=self.disputed_micros,
            is_disputed=self.disputes > 0,
            notice_until=self.notice_until,
            debt_micros=self.debt_micros,
            accrued_micros=self.accrued_micros,
            emergency_limit_micros=self.emergency_limit_micros,
            collected_micros=self.collected_micros,
            collected_week=self.collected_week,
            time_charges_micros=self.time_charges_micros,
            time_charged_at=self.time_charged_at,
        )

    def spares(self, now: datetime) -> bool:
        """Tell whether nobody is cut for credit now: a dispute is open, or a notice runs."""
        return self.disputes > 0 or (self.notice_until is not None and now < self.notice_until)


CLEAR = Condition()


def accounts_of(fact: Fact) -> set[str]:
    """Return the accounts whose condition a fact may change."""
    accounts = {posting.account for posting in postings_of(fact) if posting.code in _OWED}
    if (
        isinstance(fact, (DisputeOpened, DisputeResolved, AccountClosed, *UNDOING, EmergencyCreditTaken))
        or (isinstance(fact, TimeChargeDebited | BillingPeriodClosed) and fact.amount_micros)
        or (isinstance(fact, AccountCredited) and fact.is_repaid)
    ):
        accounts.add(fact.account)
    return accounts


def changed(condition: Condition, account: str, fact: Fact) -> Condition:
    """Apply a fact to an account's condition."""
    owed = dict.fromkeys(_OWED, 0)
    for posting in postings_of(fact):
        if posting.code in owed and posting.account == account:
            owed[posting.code] += posting.amount_micros
    return _noted(
        replace(
            condition,
            debt_micros=condition.debt_micros + owed[chart.DEBT],
            accrued_micros=condition.accrued_micros + owed[chart.ACCRUED_CHARGES],
        ),
        fact,
    )


def _noted(condition: Condition, fact: Fact) -> Condition:  # noqa: PLR0911 - a case per fact
    """Take note of what a fact says beside its postings."""
    match fact:
        case DisputeOpened():
            disputed = condition.disputed_micros + fact.amount_micros
            return replace(condition, disputed_micros=disputed, disputes=condition.disputes + 1)
        case DisputeResolved():
            disputed = condition.disputed_micros - fact.amount_micros
            return replace(condition, disputed_micros=disputed, disputes=condition.disputes - 1)
        case AccountClosed():
            return replace(condition, is_closed=True, emergency_limit_micros=0)
        case EmergencyCreditTaken():
            return replace(condition, emergency_limit_micros=fact.limit_micros)
        case InstalmentCollected():
            return _collected(condition, fact.week, fact.amount_micros)
        case AccountCredited():
            paid = _collected(condition, fact.week, part_micros(fact.applied, "debt"))
            return replace(paid, emergency_limit_micros=0) if fact.is_repaid else paid
        case TimeChargeDebited() | BillingPeriodClosed():
            return _charged(condition, fact)
    if isinstance(fact, UNDOING) and fact.notice_until is not None:
        notices = [row for row in (condition.notice_until, fact.notice_until) if row is not None]
        return replace(condition, notice_until=max(notices))
    return condition


def _collected(condition: Condition, week: str, amount_micros: int) -> Condition:
    if not amount_micros:
        return condition
    before = condition.collected_micros if condition.collected_week == week else 0
    return replace(condition, collected_week=week, collected_micros=before + amount_micros)


def _charged(condition: Condition, fact: TimeChargeDebited | BillingPeriodClosed) -> Condition:
    """Add up what time charged an account's supply points for the same day; their ticks come within hours."""
    at, before = fact.source.published_at, condition.time_charged_at
    is_same = before is not None and abs(at - before) < _ONE_DAY_S_CHARGES
    charges = (condition.time_charges_micros if is_same else 0) + fact.amount_micros
    return replace(condition, time_charges_micros=charges, time_charged_at=at)


_READ = SQL("""
SELECT account, (debt * 1000000)::bigint, (disputed * 1000000)::bigint, disputes, notice_until, is_closed,
    (accrued * 1000000)::bigint, (emergency_limit * 1000000)::bigint, (collected * 1000000)::bigint, collected_week,
    (time_charges * 1000000)::bigint, time_charged_at
FROM {schema}.account_conditions WHERE account = ANY(%s)
""")
_UPSERT = SQL("""
INSERT INTO {schema}.account_conditions (account, debt, disputed, disputes, notice_until, is_closed, position,
    accrued, emergency_limit, collected, collected_week, time_charges, time_charged_at)
SELECT account, debt * 0.000001, disputed * 0.000001, disputes, notice_until, is_closed, position,
    accrued * 0.000001, emergency_limit * 0.000001, collected * 0.000001, collected_week, time_charges * 0.000001,
    time_charged_at
FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::bigint[], %s::timestamptz[], %s::boolean[],
    %s::numeric[], %s::numeric[], %s::numeric[], %s::text[], %s::numeric[], %s::timestamptz[], %s::bigint[])
    AS n (account, debt, disputed, disputes, notice_until, is_closed, accrued, emergency_limit, collected,
        collected_week, time_charges, time_charged_at, position)
ON CONFLICT (account) DO UPDATE SET
    debt = excluded.debt, disputed = excluded.disputed, disputes = excluded.disputes,
    notice_until = excluded.notice_until, is_closed = excluded.is_closed, position = excluded.position,
    accrued = excluded.accrued, emergency_limit = excluded.emergency_limit, collected = excluded.collected,
    collected_week = excluded.collected_week, time_charges = excluded.time_charges,
    time_charged_at = excluded.time_charged_at
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
    rows = [(account, *astuple(row), positions[account]) for account, row in found.items()]
    cursor.execute(_UPSERT.format(schema=Identifier(schema)), columns(rows))


MODEL = ReadModel("conditions", (Table("account_conditions", ("account",)),), project, passes_over_usage=True)
