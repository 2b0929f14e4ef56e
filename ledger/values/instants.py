"""Instants: timezone-aware UTC datetimes. Nothing here, nor in any domain module, reads a clock."""

from datetime import UTC, datetime

from ledger.values.errors import InvalidValue


def parse_instant(text: str) -> datetime:
    """Parse an ISO 8601 instant with its zone into UTC.

    Raises InvalidValue for text that is no instant or has no zone: a local time without one names two
    instants on the day the clocks go back.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is not an ISO 8601 time; write it like 2026-11-22T18:00:00+00:00") from None
    return in_utc(instant)


def in_utc(instant: datetime) -> datetime:
    """Return the same instant in UTC; raises InvalidValue where it has no zone."""
    if instant.tzinfo is None:
        raise InvalidValue(f"time {instant.isoformat()} has no zone; add an offset such as +00:00")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise InvalidValue(f"time {instant.isoformat()} is beyond the calendar in UTC; check its year") from None
