"""Closing billing periods: what a period was short of its minimums, and closing it again after later usage (pure).

The counters remember which of the kept periods are closed, and what was lived in of them. So whoever rates usage or
days of such a period, for the first time or again for a correction, closes it again in the same breath.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from ledger.domain.snapshot import Price
from ledger.domain.time_due import closing_price_of
from ledger.rating.daily import close_period
from ledger.rating.days import LocalDays
from ledger.rating.ladder import Part, month_of
from ledger.rating.lines import Counters, Rated

_DAY = timedelta(days=1)

FORGOTTEN = "the exact state of so old a period is no longer kept: what it was short of its minimums is not charged"


def lived_in(days: LocalDays, *, since: datetime, until: datetime | None = None) -> Part:
    """Return the local dates, part dates too, that an occupancy has some of; None where it has no end."""
    first = since.astimezone(days.zone).date()
    if until is None:
        return Part(first)
    last = until.astimezone(days.zone).date()
    return Part(first, last + _DAY if days.midnight(last) < until else last)


def closing_price(prices: Sequence[Price], *, period: str, part: Part) -> Price | None:
    """Return the price of a period's last date, or of the last that was lived in."""
    last = month_of(period)[1] - _DAY
    return closing_price_of(prices, last if part.until is None else min(last, part.until - _DAY))


def closed(prices: Sequence[Price], counters: Counters, *, period: str, part: Part) -> Rated:
    """Close a period by the tariff that holds for its last date."""
    price = closing_price(prices, period=period, part=part)
    if price is None or price.tariff is None:
        return Rated([], counters)
    return close_period(price.tariff, counters, part=part, period=period)


def closed_again(prices: Sequence[Price], rated: Rated, periods: Iterable[str]) -> Rated:
    """Close those periods again that something came to after they were closed; its lines are added to the others."""
    lines, counters = rated.lines, rated.counters
    for period in sorted(counters.closed.keys() & set(periods)):
        more = closed(prices, counters, period=period, part=Part(*counters.closed[period]))
        lines, counters = lines + more.lines, more.counters
    return Rated(lines, counters)
