"""Reads an account's month from the books and the log, in one snapshot of the database."""

from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import tuple_row

from ledger.domain.accounting_month import checked_month
from ledger.domain.event import Posting
from ledger.integrity.proof import Proof
from ledger.integrity.proving import prove
from ledger.store.mapper import fact_of
from ledger.values.errors import NotFound, Refused
from ledger.values.money import micros_from_decimal
from projections.books import MODEL, rules_at
from projections.model import LIVE
from projections.project import tracked
from projections.statements.gathering import Gathering, standing_of
from projections.statements.statement import Standing, Statement

_PAGE = 1_000
_ACCOUNT = "SELECT site, currency FROM projections.balances WHERE account = %s"
_LAST = "SELECT max(position) FROM projections.account_entries WHERE account = %s AND month = %s"
_LAST_BEFORE = "SELECT max(position) FROM projections.account_entries WHERE account = %s AND month < %s"
_CLOSED_AT = "SELECT min(position) FROM projections.accounting WHERE closed_to >= %s"
_BEFORE = """
SELECT code, sum(amount) FROM projections.journal_monthly WHERE account = %s AND month < %s GROUP BY code
"""
_EVENTS = """
SELECT e.notification_id, e.topic, e.state
FROM projections.account_entries AS a JOIN ledger.events AS e ON e.notification_id = a.position
WHERE a.account = %s AND a.month = %s ORDER BY a.position
"""


def read_statement(connection: Connection[Any], *, account: str, month: str, this_month: str) -> Statement:
    """Return an account's statement for an accounting month, as far as the books are projected.

    The connection must be in autocommit mode. Raises InvalidValue for what is no month, NotFound for an account or a
    month that the books do not know, Refused for a month that has not begun (`this_month` is the clock's).
    """
    month = checked_month(month)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with connection.cursor(row_factory=tuple_row) as cursor:
            statement = _begun(connection, cursor, account, month, this_month)
            statement.opening = _opening(cursor, account, month)
        gathered = Gathering(account)
        with connection.cursor(name="statement", row_factory=tuple_row) as cursor:
            cursor.itersize = _PAGE
            for position, topic, state in cursor.execute(_EVENTS, (account, month)):
                gathered.take(position, fact_of(topic, bytes(state)))
    _settle(statement, gathered)
    statement.proof = proof_of(connection, statement.last_position)
    return statement


def proof_of(connection: Connection[Any], position: int) -> Proof | None:
    """Return the proof of an event; None while it is not sealed yet."""
    try:
        return prove(connection, position)
    except Refused:
        return None


def _begun(connection: Connection[Any], cursor: Cursor[Any], account: str, month: str, this_month: str) -> Statement:
    found = cursor.execute(_ACCOUNT, (account,)).fetchone()
    if found is None:
        raise NotFound(f"the books know no account {account!r}; check the code, or wait until it is projected")
    closed_at = _one(cursor, _CLOSED_AT, (month,))
    last = _one(cursor, _LAST, (account, month))
    if last is None:
        if month > this_month:
            raise Refused(f"month {month} has not begun; the last one that there is a statement for is {this_month}")
        last = _one(cursor, _LAST_BEFORE, (account, month))
    if last is None:
        raise NotFound(f"account {account!r} has nothing in {month} or before; ask for a later month")
    return Statement(
        account=account,
        site=found[0],
        currency=found[1],
        month=month,
        zone=rules_at(cursor, schema=LIVE).zone,
        position=tracked(connection).get(MODEL.name, 0) if closed_at is None else closed_at,
        is_final=closed_at is not None,
        last_position=last,
    )


def _one(cursor: Cursor[Any], query: Any, parameters: tuple[str, ...]) -> int | None:
    row = cursor.execute(query, parameters).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _opening(cursor: Cursor[Any], account: str, month: str) -> Standing:
    """Return an account's standing as the months before left it."""
    rows = cursor.execute(_BEFORE, (account, month)).fetchall()
    return standing_of([Posting(code, account, micros_from_decimal(sum_)) for code, sum_ in rows], account=account)


def _settle(statement: Statement, gathered: Gathering) -> None:
    statement.events = gathered.events
    statement.movements = sorted(gathered.movements.values(), key=lambda row: row.kind)
    statement.money = gathered.money
    statement.supplies = sorted(gathered.supplies.values(), key=lambda row: row.supply)
    statement.taxes = sorted(gathered.taxes.values(), key=lambda row: row.component)
    statement.closing.add(statement.opening)
    for movement in gathered.movements.values():
        statement.closing.add(movement.change)
