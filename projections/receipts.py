"""Unidentified receipts: money that came in and nobody could place, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from ledger.domain.receipt import Outcome, ReceiptIdentified, ReceiptKept, ReceiptReopened, ReceiptReturned
from ledger.store.log import Logged
from ledger.values.money import decimal_from_micros
from projections.model import ReadModel, Table

_INSERT = SQL("""
INSERT INTO {schema}.receipts (receipt, amount, channel, kept_at, outcome, account, kept_position, position)
VALUES (%s, %s, %s, %s, 'kept', '', %s, %s)
""")
_CHANGE = SQL("UPDATE {schema}.receipts SET outcome = %s, account = %s, position = %s WHERE receipt = %s")
_LIST = """
SELECT receipt, amount, channel, kept_at, outcome, account, kept_position, position FROM projections.receipts
WHERE (%(every)s OR outcome = 'kept') AND receipt > %(after)s ORDER BY receipt LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A receipt: `outcome` is kept, identified or returned, `account` who has it while identified."""

    receipt: str
    amount: Decimal
    channel: str
    kept_at: datetime
    outcome: Outcome
    account: str
    kept_position: int
    position: int


def receipts(
    connection: Connection[Any], *, every: bool = False, after_: str = "", limit: int | None = None
) -> list[ReceiptRow]:
    """Return the receipts that nobody has placed yet, or every one, by code."""
    wanted = {"every": every, "after": after_, "limit": limit}
    with connection.cursor(row_factory=class_row(ReceiptRow)) as cursor:
        return cursor.execute(_LIST, wanted).fetchall()


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the receipts; they are few, so each is written by itself."""
    for event in events:
        match event.fact:
            case ReceiptKept() as fact:
                amount = decimal_from_micros(fact.amount_micros)
                row = (fact.receipt, amount, fact.channel, fact.recorded_at, event.position, event.position)
                cursor.execute(_INSERT.format(schema=Identifier(schema)), row)
            case ReceiptIdentified() as fact:
                _change(cursor, schema, fact.receipt, "identified", fact.account, event.position)
            case ReceiptReopened() as fact:
                _change(cursor, schema, fact.receipt, "kept", "", event.position)
            case ReceiptReturned() as fact:
                _change(cursor, schema, fact.receipt, "returned", "", event.position)


def _change(cursor: Cursor[Any], schema: str, receipt: str, outcome: str, account: str, position: int) -> None:
    cursor.execute(_CHANGE.format(schema=Identifier(schema)), (outcome, account, position, receipt))


MODEL = ReadModel("receipts", (Table("receipts", ("receipt",)),), project, passes_over_usage=True)
