"""What credit does once a local day, for the accounts and protected supplies of a site."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from psycopg import Connection
from psycopg.rows import scalar_row

from ledger.store.application import Ledger
from ledger.usecases.conditions import check_site
from ledger.usecases.credit.daily import accrue_charges, collect_instalment
from ledger.usecases.protection import note_lapsed_review
from ledger.values.errors import LedgerError

# Whoever owes; whoever has a supply that is off for credit, or ever was; what is protected.
_OWING = """
SELECT b.account FROM projections.balances AS b JOIN projections.account_conditions AS c ON c.account = b.account
WHERE b.site = %s AND c.debt > 0 AND NOT c.is_closed ORDER BY b.account
"""
_CUT_BEFORE = """
SELECT DISTINCT o.account FROM projections.relay AS r JOIN projections.supplies AS s ON s.supply = r.supply
JOIN projections.occupancies AS o ON o.supply = r.supply
WHERE s.site = %s AND (r.disconnections > 0 OR 'credit' = ANY(r.locks)) ORDER BY o.account
"""
_PROTECTED = """
SELECT DISTINCT s.supply FROM ledger.events AS e
JOIN projections.supplies AS s ON s.supply = ledger.fact(e.state) ->> 'supply'
WHERE e.topic = 'supply.protected/1' AND s.site = %s ORDER BY s.supply
"""

Kind = Literal["accrual", "instalment", "review"]


class Task(NamedTuple):
    """What is to be looked at: an account's accruing charges or its instalment, or a supply point's review."""

    kind: Kind
    code: str


@dataclass(slots=True)
class Done:
    """How much there was to do; one account's refusal holds no other up."""

    instalments: int = 0
    accrued: int = 0
    lapsed: int = 0
    refusals: list[str] = field(default_factory=list)


def tasks_of(connection: Connection[Any], *, site: str) -> list[Task]:
    """Return what is to be looked at on a day at a site; charges accrue before instalments are judged."""
    return [
        *accruals_of(connection, site=site),
        *(Task("instalment", account) for account in _codes(connection, _OWING, site)),
        *(Task("review", supply) for supply in _codes(connection, _PROTECTED, site)),
    ]


def accruals_of(connection: Connection[Any], *, site: str) -> list[Task]:
    """Return whose charges may have accrued."""
    return [Task("accrual", account) for account in _codes(connection, _CUT_BEFORE, site)]


def carry_out_task(ledger: Ledger, task: Task, done: Done, *, now: datetime, local_date: date | None = None) -> bool:
    """Do what is due and not done yet for a local date, today's if none is given; tell whether it was refused."""
    try:
        if task.kind == "accrual":
            done.accrued += accrue_charges(ledger, account=task.code, now=now)
        elif task.kind == "instalment":
            booked = collect_instalment(ledger, account=task.code, now=now, local_date=local_date)
            done.instalments += bool(booked.position and not booked.is_repeat)
        else:
            today = now.date() if local_date is None else local_date
            done.lapsed += note_lapsed_review(ledger, supply=task.code, today=today, now=now) > 0
    except LedgerError as error:
        done.refusals.append(f"{task.code}: {error}")
        return True
    return False


def credit_of_the_day(connection: Connection[Any], ledger: Ledger, *, site: str, now: datetime) -> Done:
    """Do what is due today and was not done yet; raises NotFound for an unknown site."""
    check_site(ledger, site)
    done = Done()
    for task in tasks_of(connection, site=site):
        carry_out_task(ledger, task, done, now=now)
    return done


def _codes(connection: Connection[Any], query: str, site: str) -> list[str]:
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(query.encode(), (site,)).fetchall()
