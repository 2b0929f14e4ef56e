"""The two tables of an export in rows: events, and the lines of their transactions."""

from collections.abc import Iterator
from typing import Any

from ledger.values.money import decimal_from_micros
from projections.exports.source import Exported

EVENTS = (
    "position", "stream", "version", "topic", "recorded_at", "effective_at", "month", "effective_month", "event",
)  # fmt: skip
POSTINGS = (
    "position", "line", "topic", "recorded_at", "effective_at", "month", "effective_month", "code", "account",
    "currency", "amount",
)  # fmt: skip


def event_row(event: Exported) -> tuple[Any, ...]:
    """Return an event's row, in the order of EVENTS; the event itself is its stored JSON."""
    return (
        event.position,
        str(event.stream),
        event.version,
        event.topic,
        event.recorded_at,
        event.effective_at,
        event.month,
        event.effective_month,
        event.state.decode(),
    )


def posting_rows(event: Exported) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each line of an event's transaction, in the order of POSTINGS; amounts in currency units."""
    for line, posting in enumerate(event.postings, 1):
        yield (
            event.position,
            line,
            event.topic,
            event.recorded_at,
            event.effective_at,
            event.month,
            event.effective_month,
            posting.code,
            posting.account,
            event.currency,
            decimal_from_micros(posting.amount_micros),
        )
