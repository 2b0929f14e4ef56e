"""What people type: files, instants, local dates, decimals; each wrong one is named with what to write instead."""

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

from console.errors import ConsoleError
from ledger.values.energy import milliwh_from_text
from ledger.values.errors import InvalidValue
from ledger.values.instants import parse_instant


def text_of(file: Path) -> str:
    """Return a file's text; raises ConsoleError where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConsoleError(f"{file} cannot be read: {error}") from None


def instant_or(text: str, otherwise: datetime) -> datetime:
    """Return the instant that a text says, or another where it says nothing."""
    return parse_instant(text) if text else otherwise


def local_instant(text: str, *, zone: ZoneInfo, option: str) -> datetime:
    """Return an instant, or the local midnight with which a date begins; raises ConsoleError."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return parse_instant(text)
    try:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise ConsoleError(f"{option} {text} is beyond the calendar; check its year") from None


def decimal_of(text: str, *, option: str) -> Decimal:
    """Return a finite decimal that is not negative; raises ConsoleError."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise ConsoleError(f"{option} is {text!r}; give a decimal of 0 or more, such as 12.5")
    return number


def energy_of(text: str, *, option: str) -> int:
    """Return kilowatt-hours of 0 or more as milliwatt-hours; raises ConsoleError."""
    try:
        milliwh = milliwh_from_text(text)
    except InvalidValue as error:
        raise ConsoleError(f"{option}: {error}") from None
    if milliwh < 0:
        raise ConsoleError(f"{option} is {text!r}; give kWh of 0 or more, such as 12.5")
    return milliwh
