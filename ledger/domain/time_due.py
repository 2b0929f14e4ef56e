"""Which local dates of a supply point are to be charged, and which billing periods to be closed (pure).

A local date is charged whole, or not at all, to the account that occupied the supply point throughout it: the days of
moving in and out are nobody's. It is charged by the terms that held as it began, by the calendar of their tariff's
zone; a date that a zone left out, or that is between two zones, is charged once or not at all, never twice.
A period is closed for who occupied the supply point as its last date ended.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from ledger.domain.snapshot import Price
from ledger.domain.supply import Supply
from ledger.rating.daily import is_daily
from ledger.rating.days import LocalDays
from ledger.rating.rate import CompiledTariff

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class DueDays(NamedTuple):
    """Whole local dates, both included, of one billing period, tariff version and occupancy (its number)."""

    first: date
    last: date
    price: Price
    occupancy: int


class DueClose(NamedTuple):
    """A billing period whose last date has ended."""

    last: date
    period: str
    price: Price
    occupancy: int


def is_timed(price: Price) -> bool:
    """Tell whether time alone brings anything under a price: by the day, or as a billing period closes."""
    tariff = price.tariff
    return tariff is not None and (bool(tariff.minimums) or is_daily(tariff, contracted_w=price.contracted_w))


def due(
    prices: Sequence[Price], supply: Supply, *, after: date | None, through: date, known_at: datetime
) -> Iterator[DueDays | DueClose]:
    """Yield what is due for local dates later than `after` (None: all), up to and including `through`, in order.

    A date that has not ended by `known_at` in its tariff's zone is not due yet.
    """
    days: DueDays | None = None
    for day, price, tariff in _dates(prices, supply, after=after, through=through, known_at=known_at):
        occupancy = _occupied_throughout(supply, tariff.days, day)
        is_whole = price.starts <= tariff.days.midnight(day)
        is_charged = is_whole and occupancy >= 0 and is_daily(tariff, contracted_w=price.contracted_w)
        if days is not None and not (is_charged and _goes_on(days, day, price, occupancy)):
            yield days
            days = None
        if is_charged:
            days = DueDays(day, day, price, occupancy) if days is None else days._replace(last=day)
        if (day + _DAY).day == 1 and tariff.minimums:
            if days is not None:
                yield days
                days = None
            occupancy = supply.occupancy_number_at(tariff.days.midnight(day + _DAY) - _MICROSECOND)
            if occupancy >= 0:
                yield DueClose(day, f"{day.year:04d}-{day.month:02d}", price, occupancy)
    if days is not None:
        yield days


def price_of(prices: Sequence[Price], day: date) -> Price | None:
    """Return the price that holds for a local date: the newest that was in force as the date began in its zone."""
    for price in reversed(prices):
        if price.tariff is not None and price.starts <= price.tariff.days.midnight(day):
            return price
    return None


def closing_price_of(prices: Sequence[Price], day: date) -> Price | None:
    """Return the price that a period is closed by whose last date, or last that was lived in, is this one.

    Where none held as the date began, it is the first that took force within it: who moved in on a month's last day,
    their terms with them, has the minimum of that day.
    """
    held = price_of(prices, day)
    return held or next((one for one in prices if one.tariff is not None and _is_within(one, one.tariff, day)), None)


def _is_within(price: Price, tariff: CompiledTariff, day: date) -> bool:
    return tariff.days.midnight(day) < price.starts < tariff.days.midnight(day + _DAY)


def is_charged_beyond(prices: Sequence[Price], *, charged_to: date | None, instant: datetime) -> bool:
    """Tell whether a date that ended beyond an instant is charged already."""
    price = next((one for one in reversed(prices) if one.starts <= instant), None)
    if charged_to is None or price is None or price.tariff is None:
        return False
    return price.tariff.days.midnight(charged_to + _DAY) > instant


def _goes_on(days: DueDays, day: date, price: Price, occupancy: int) -> bool:
    is_next = day == days.last + _DAY and day.day != 1
    return is_next and price is days.price and occupancy == days.occupancy


def _dates(
    prices: Sequence[Price], supply: Supply, *, after: date | None, through: date, known_at: datetime
) -> Iterator[tuple[date, Price, CompiledTariff]]:
    """Yield each ended local date under a price that time brings something under, with that price."""
    if not supply.occupancies:
        return
    begin = supply.occupancies[0].occupied_from
    for number, price in enumerate(prices):
        tariff = price.tariff
        if tariff is None or not is_timed(price):
            continue
        first = _first_begun_at(tariff.days, max(price.starts, begin - _DAY))
        if first.day == 1 and price.starts > begin - _DAY and closing_price_of(prices, first - _DAY) is price:
            first -= _DAY
        last = min(through, _last_ended_at(tariff.days, known_at), *_ends(prices[number + 1 :], tariff.days))
        if after is not None:
            first = max(first, after + _DAY)
        day: date | None = first
        while day is not None and day <= last:
            # A date that the zone left out (Apia, 30 December 2011) has no length.
            if tariff.days.midnight(day) < tariff.days.midnight(day + _DAY):
                yield day, price, tariff
            day = _next_occupied(supply, tariff.days, day + _DAY)


def _next_occupied(supply: Supply, days: LocalDays, day: date) -> date | None:
    """Return the next date that somebody occupies some of: vacant years are passed over at once."""
    midnight = days.midnight(day)
    if supply.occupancy_at(midnight) is not None:
        return day
    later = [row.occupied_from for row in supply.occupancies if row.occupied_from >= midnight]
    return _local_date(days, min(later)) if later else None


def _ends(later: Sequence[Price], days: LocalDays) -> list[date]:
    """Return the last dates before which each later price takes over."""
    found: list[date] = []
    for price in later:
        own = days if price.tariff is None else price.tariff.days
        found.append(_first_begun_at(own, price.starts) - _DAY)
    return found


def _first_begun_at(days: LocalDays, instant: datetime) -> date:
    """Return the first local date that begins at an instant or later."""
    day = _local_date(days, instant)
    return day if days.midnight(day) >= instant else day + _DAY


def _last_ended_at(days: LocalDays, instant: datetime) -> date:
    """Return the last local date that has ended by an instant."""
    return _local_date(days, instant) - _DAY


def _local_date(days: LocalDays, instant: datetime) -> date:
    return instant.astimezone(days.zone).date()


def _occupied_throughout(supply: Supply, days: LocalDays, day: date) -> int:
    """Return the number of the occupancy that held for the whole of a local date; −1 where none did."""
    number = supply.occupancy_number_at(days.midnight(day))
    at_end = supply.occupancy_number_at(days.midnight(day + _DAY) - _MICROSECOND)
    return number if number == at_end else -1
