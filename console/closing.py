"""Closing a month from the command line: the closing, then its balances once the books are projected that far."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from console.connection import finance_connection, opened_ledger
from console.errors import ConsoleError
from ledger.store.application import Ledger
from ledger.usecases.closing import Closed, books_of, close_month, record_balances
from projections.closed import projected_position, sums_to

_LOOK_EVERY_S = 0.2


class BooksBehind(ConsoleError):
    """The books are not projected as far as the closing."""


@dataclass(frozen=True, slots=True)
class Closure:
    """What came of it: the closing, None where it had been recorded before, and the parts of its balances."""

    closed: Closed | None
    parts: int


def close(
    environ: Mapping[str, str], *, month: str, operator: str, allow_late: bool, patience_s: float = 60.0
) -> Closure:
    """Close a month and record its balances; a month whose balances were not all recorded is gone on with.

    Raises BooksBehind where the projection does not reach the closing in time: run again then.
    """
    with opened_ledger(environ) as ledger:
        books = books_of(ledger)
        goes_on = books.closed_to == month and not books.is_balanced
        closed = None
        if not goes_on:
            closed = close_month(ledger, month=month, operator=operator, allow_late=allow_late, now=datetime.now(UTC))
        position = _head_of_books(ledger) if closed is None else closed.position
        return Closure(closed, _record(environ, ledger, month=month, position=position, patience_s=patience_s))


def _record(environ: Mapping[str, str], ledger: Ledger, *, month: str, position: int, patience_s: float) -> int:
    deadline = time.monotonic() + patience_s
    with finance_connection(environ) as connection:
        while (reached := projected_position(connection)) < position:
            if time.monotonic() > deadline:
                raise BooksBehind(
                    f"month {month} is closed at position {position}, but the books are projected to {reached} only:"
                    " is `wattledger project` running? Run this again, and its balances are recorded"
                )
            time.sleep(_LOOK_EVERY_S)
        return record_balances(ledger, month=month, balances=sums_to(connection, month=month), now=datetime.now(UTC))


def _head_of_books(ledger: Ledger) -> int:
    """Return the ledger's head: a closing that is recorded lies before it."""
    return ledger.recorder.max_notification_id() or 0
