"""Balances as they closed: read from the events that recorded them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from ledger.domain import chart
from ledger.domain.books import BalancesClosed, ClosedBalance
from ledger.store.mapper import fact_of
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import books_stream
from ledger.values.money import micros_from_decimal


@dataclass(frozen=True, slots=True)
class Closing:
    """An account's balance as a month closed, in micro-units, and the position of the closing."""

    month: str
    position: int
    balance_micros: int


_CLOSING = "SELECT position, version FROM projections.accounting WHERE closed_to = %s ORDER BY position LIMIT 1"
_PARTS = """
SELECT topic, state FROM ledger.events WHERE originator_id = %s AND originator_version > %s
ORDER BY originator_version
"""
_SUMS = """
SELECT account, code, sum(amount) FROM projections.journal_monthly WHERE month <= %s
GROUP BY account, code HAVING sum(amount) <> 0 ORDER BY account COLLATE "C", code COLLATE "C"
"""


def closing_of(connection: Connection[Any], *, account: str, month: str) -> Closing:
    """Return an account's balance at a month's closing; raises NotFound where the month is not closed.

    An account that is not among the balances had nothing to its credit then. Raises Refused where the balances of the
    closing are not all recorded yet.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(_CLOSING, (month,)).fetchone()
    if row is None:
        raise NotFound(f"month {month} is not closed; close it first: wattledger ledger close-month {month}")
    position, version = row
    balance_micros = 0
    for part in _parts(connection, month=month, version=version):
        balance_micros += balance_in(part.balances, account=account)
        if part.part == part.parts or part.balances[-1].account > account:
            return Closing(month, position, balance_micros)
    raise Refused(f"the balances of {month} are not all recorded; run again: wattledger ledger close-month {month}")


def balance_in(balances: list[ClosedBalance], *, account: str) -> int:
    """Return what an account has to its credit among balances, in micro-units."""
    return -sum(row.amount_micros for row in balances if (row.account, row.code) == (account, chart.PREPAYMENT))


def sums_to(connection: Connection[Any], *, month: str) -> Iterator[ClosedBalance]:
    """Yield what the months up to one come to, per account and code, in that order; what is zero is left out."""
    with connection.transaction(), connection.cursor(name="sums", row_factory=tuple_row) as cursor:
        for account, code, amount in cursor.execute(_SUMS, (month,)):
            yield ClosedBalance(account, code, micros_from_decimal(Decimal(amount)))


def projected_position(connection: Connection[Any]) -> int:
    """Return how far the books are projected."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute("SELECT coalesce(max(position), 0) FROM projections.tracking WHERE name = 'books'")
        return int(cursor.fetchone() or 0)


def _parts(connection: Connection[Any], *, month: str, version: int) -> Iterator[BalancesClosed]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        for topic, state in cursor.stream(_PARTS, (books_stream(), version)):
            fact = fact_of(topic, bytes(state))
            if not isinstance(fact, BalancesClosed) or fact.month != month:
                return
            yield fact
