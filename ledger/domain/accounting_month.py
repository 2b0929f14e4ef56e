"""When a fact took effect, and the accounting month that it belongs to: a pure function of the ledger's order.

A transaction belongs to the month in which it took effect while that month is open at the transaction's position,
and to the oldest open month afterwards, with the month in which it took effect kept.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ledger.domain.event import Fact
from ledger.values.errors import InvalidValue
from ledger.values.instants import in_utc

# By name, so that a fact of tomorrow is read like those of today; the first that a fact has is it.
_EFFECTIVE_FIELDS = (
    "ended_at",
    "effective_at",
    "occupied_from",
    "vacated_at",
    "installed_at",
    "effective_from",
    "vended_at",
)
# A span that ends at midnight belongs to the day before.
_INSTANT_BEFORE = timedelta(microseconds=1)


def effective_at(fact: Fact) -> datetime:
    """Return when a fact took effect: the end of its span, the instant that it names, else when it was recorded."""
    for name in _EFFECTIVE_FIELDS:
        instant: datetime | None = getattr(fact, name, None)
        if instant is not None:
            return instant
    return fact.recorded_at


def effective_month(fact: Fact, *, zone: str) -> str:
    """Return the month (`2026-07`) in which a fact took effect, in the books' zone."""
    instant = effective_at(fact)
    if getattr(fact, "started_at", None) is not None:
        instant -= _INSTANT_BEFORE
    return month_at(instant, zone=zone)


def month_at(instant: datetime, *, zone: str) -> str:
    """Return the month (`2026-07`) in which an instant lies, in a zone."""
    local = instant.astimezone(_zone(zone))
    return f"{local.year:04}-{local.month:02}"


def accounting_month(effective: str, *, closed_to: str) -> str:
    """Return the accounting month of what took effect in a month, where months up to `closed_to` are closed."""
    return effective if effective > closed_to else following(closed_to)


def following(month: str) -> str:
    """Return the month after `2026-07`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"


def preceding(month: str) -> str:
    """Return the month before `2026-07`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"


def checked_month(text: str) -> str:
    """Return a month's name as it is written here; raises InvalidValue."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InvalidValue(f"{text!r} is no month; write it like 2026-07") from None
    return f"{first.year:04}-{first.month:02}"


def end_of(month: str, *, zone: str) -> datetime:
    """Return the instant at which a month ends in a zone, in UTC."""
    after = following(month)
    return in_utc(datetime(int(after[:4]), int(after[5:]), 1, tzinfo=_zone(zone)))


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
