"""Balances: what each account has to its credit, what it was charged and topped up, and the energy it was billed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain import chart
from ledger.domain.account import AccountCredited, AccountOpened
from ledger.domain.account_facts import (
    UNDOING,
    DebitCorrected,
    TopUpChargedBack,
    TopUpReversed,
    TopUpTransferred,
)
from ledger.domain.event import Fact
from ledger.domain.meter import UsageCorrected
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.vending import EnergyVended
from ledger.store.log import Logged
from projections.arrays import array_of
from projections.model import ReadModel, Table
from projections.outline import USAGE, Usage
from projections.postings import postings_of


@dataclass(slots=True)
class Movement:
    """What a batch does to an account; amounts in micro-units, both sides without sign.

    `credited_micros` is what was paid in, adjusted and moved in, less what went out that way; `top_ups` are those
    that stand.
    """

    site: str = ""
    currency: str = ""
    debited_micros: int = 0
    credited_micros: int = 0
    usage_milliwh: int = 0
    debits: int = 0
    top_ups: int = 0
    position: int = 0


def prepayment_of(fact: Fact) -> dict[str, int]:
    """Return what a fact adds to the balance of each account, in micro-units; credits are positive."""
    changes: dict[str, int] = {}
    for posting in postings_of(fact):
        if posting.code == chart.PREPAYMENT:
            changes[posting.account] = changes.get(posting.account, 0) - posting.amount_micros
    return changes


def fold(events: Sequence[Logged]) -> dict[str, Movement]:
    """Return what a batch does to each account it touches."""
    movements: dict[str, Movement] = {}
    for event in events:
        fact = event.fact
        if isinstance(fact, (*USAGE, EnergyVended)):
            _debit(movements, fact, event.position)
            continue
        for account in _accounts_of(fact):
            _movement(movements, account).position = event.position
        _count(movements, fact)
        for posting in postings_of(fact):
            if posting.code == chart.PREPAYMENT:
                movement = movements[posting.account]
                # What usage costs, and what of that is given back, was debited; all else was paid in or out.
                is_debit = fact.topic.startswith("meter.") or isinstance(fact, DebitCorrected)
                movement.debited_micros += posting.amount_micros if is_debit else 0
                movement.credited_micros += 0 if is_debit else -posting.amount_micros
    return movements


def _debit(movements: dict[str, Movement], usage: Usage | EnergyVended, position: int) -> None:
    """Take in what nearly every event is."""
    movement = _movement(movements, usage.account)
    movement.debits += 1
    movement.usage_milliwh += usage.usage_milliwh
    movement.position = position
    for posting in usage.postings:
        if posting.code == chart.PREPAYMENT:
            movement = _movement(movements, posting.account)
            movement.debited_micros += posting.amount_micros
            movement.position = position


def _movement(movements: dict[str, Movement], account: str) -> Movement:
    movement = movements.get(account)
    if movement is None:
        movement = movements[account] = Movement()
    return movement


def _accounts_of(fact: Fact) -> set[str]:
    accounts = {posting.account for posting in postings_of(fact) if posting.code == chart.PREPAYMENT}
    if isinstance(fact, (AccountOpened, AccountCredited, UsageCorrected, *UNDOING)):
        accounts.add(fact.account)
    if isinstance(fact, UsageCorrected):
        accounts.update(account for account, _ in fact.usages)
    if isinstance(fact, OccupancyCorrected):
        accounts |= {fact.account, fact.former, *(account for account, _ in fact.usages)}
    return accounts


def _count(movements: dict[str, Movement], fact: Fact) -> None:
    match fact:
        case AccountOpened():
            movements[fact.account].site = fact.site
            movements[fact.account].currency = fact.currency
        case UsageCorrected():
            alone = ((fact.account, fact.usage_milliwh - fact.replaced_milliwh),)
            for account, change_milliwh in fact.usages or alone:
                movements[account].usage_milliwh += change_milliwh
        case OccupancyCorrected():
            for account, change_milliwh in fact.usages:
                movements[account].usage_milliwh += change_milliwh
        case AccountCredited():
            movements[fact.account].top_ups += 1
        case TopUpReversed() | TopUpChargedBack():
            movements[fact.account].top_ups -= 1
        case TopUpTransferred():
            movements[fact.account].top_ups -= 1
            movements[fact.to_account].top_ups += 1


_UPSERT = SQL("""
INSERT INTO {schema}.balances AS b
    (account, site, balance, debited, credited, usage_milliwh, debits, top_ups, position, currency)
SELECT account, site, (credited - debited) * 0.000001, debited * 0.000001, credited * 0.000001,
       usage, debits, top_ups, position, currency
FROM unnest(%s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::text[])
    AS n (account, site, debited, credited, usage, debits, top_ups, position, currency)
ON CONFLICT (account) DO UPDATE SET
    site = CASE WHEN b.site = '' THEN excluded.site ELSE b.site END,
    currency = CASE WHEN b.currency = '' THEN excluded.currency ELSE b.currency END,
    balance = b.balance + excluded.balance,
    debited = b.debited + excluded.debited,
    credited = b.credited + excluded.credited,
    usage_milliwh = b.usage_milliwh + excluded.usage_milliwh,
    debits = b.debits + excluded.debits,
    top_ups = b.top_ups + excluded.top_ups,
    position = excluded.position
""")


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the balances."""
    movements = fold(events)
    if not movements:
        return
    rows = movements.values()
    cursor.execute(
        _UPSERT.format(schema=Identifier(schema)),
        (
            array_of(movements),
            array_of(row.site for row in rows),
            array_of(row.debited_micros for row in rows),
            array_of(row.credited_micros for row in rows),
            array_of(row.usage_milliwh for row in rows),
            array_of(row.debits for row in rows),
            array_of(row.top_ups for row in rows),
            array_of(row.position for row in rows),
            array_of(row.currency for row in rows),
        ),
    )


MODEL = ReadModel("balances", (Table("balances", ("account",)),), project)
