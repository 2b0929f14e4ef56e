"""What time charged, as it stands in a meter stream's history: rated again with the usage around it (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from ledger.domain.closing import closed, closed_again, closing_price, lived_in
from ledger.domain.meter import BillingPeriodClosed, TimeChargeDebited
from ledger.domain.snapshot import Price
from ledger.domain.time_due import price_of
from ledger.rating import ladder
from ledger.rating.daily import rate_days
from ledger.rating.days import LocalDays
from ledger.rating.lines import FRESH, Counters, Line
from ledger.values.errors import LedgerError

_DAY = timedelta(days=1)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Underivable(LedgerError):
    """What was billed does not come out again: the prices of that time are not those of today."""


class Item(NamedTuple):
    """What amounts are summed by when debits are rated again."""

    account: str
    period: str
    component: str
    tariff: str
    version: int
    tax: bool
    allowance: bool
    at_payment: bool = False


class Part(NamedTuple):
    """From an instant on, a span belongs to an occupancy, and its account pays."""

    starts: datetime
    occupancy: int
    account: str


def add_lines(amounts: dict[Item, int], account: str, period: str, lines: Iterable[Line]) -> None:
    """Add lines of a billing period to amounts by item."""
    for line in lines:
        item = Item(
            account, period, line.component, line.tariff, line.version, line.tax, line.allowance, line.at_payment
        )
        amounts[item] = amounts.get(item, 0) + line.amount_micros


@dataclass(slots=True)
class BilledTime:
    """Charged days or a closed period: where it is in the stream, who pays from when, and what it comes to.

    Its first part is the occupancy that it was charged to; later ones are those that it was rebooked to, because the
    end of the one before was told later.
    """

    version: int
    fact: TimeChargeDebited | BillingPeriodClosed
    parts: tuple[Part, ...]
    amounts: Mapping[Item, int] = field(default_factory=dict)
    after: Mapping[int, Counters] = field(default_factory=dict)

    @classmethod
    def of(cls, version: int, fact: TimeChargeDebited | BillingPeriodClosed) -> "BilledTime":
        """Return what a fact of the stream charged, as it was charged."""
        return cls(version, fact, (Part(_LONG_AGO, fact.occupancy, fact.account),))

    def rebook(self, part: Part) -> bool:
        """Let an occupancy have what was charged from its beginning on; tell whether that may be any of it."""
        fact = self.fact
        # A period closed as its occupancy ended is that occupancy's, whatever comes after it.
        last = fact.last_date if isinstance(fact, TimeChargeDebited) else fact.lived_until or _last_of(fact.period)
        # No zone is further from UTC than a day; whose each date is exactly, rating tells.
        if last < (part.starts - _DAY).date() or self.parts[-1].occupancy >= part.occupancy:
            return False
        self.parts = (*(row for row in self.parts if row.starts < part.starts), part)
        return True

    def rated(
        self, prices: Sequence[Price], before: Mapping[int, Counters]
    ) -> tuple[dict[Item, int], Mapping[int, Counters]]:
        """Rate it by the tariff that held; raises Underivable where none does now."""
        fact, after = self.fact, dict(before)
        amounts: dict[Item, int] = {}
        if isinstance(fact, BillingPeriodClosed):
            part, lived = self._closed_for(fact, prices)
            rated = closed(prices, after.get(part.occupancy, FRESH), period=fact.period, part=lived)
            after[part.occupancy] = rated.counters
            add_lines(amounts, part.account, fact.period, rated.lines)
            return amounts, after
        period = f"{fact.first_date:%Y-%m}"
        for part, first, last, price in _runs(fact, self.parts, prices):
            if price.tariff is None:
                raise AssertionError("a price for days has a tariff")
            counters = after.get(part.occupancy, FRESH)
            rated = rate_days(price.tariff, counters, first=first, last=last, contracted_w=fact.contracted_w)
            rated = closed_again(prices, rated, {period})
            after[part.occupancy] = rated.counters
            add_lines(amounts, part.account, period, rated.lines)
        return amounts, after

    def _closed_for(self, fact: BillingPeriodClosed, prices: Sequence[Price]) -> tuple[Part, ladder.Part]:
        """Return whose period it closed, and what was lived in of it."""
        lived = ladder.Part(fact.lived_from, fact.lived_until)
        price = closing_price(prices, period=fact.period, part=lived)
        if price is None or price.tariff is None:
            raise Underivable(f"no tariff is in force now at the end of {fact.period}")
        days = price.tariff.days
        ends = days.midnight(fact.lived_until or _last_of(fact.period) + _DAY)
        part = [row for row in self.parts if row.starts < ends][-1]
        return part, lived if part is self.parts[0] else lived_in(days, since=part.starts)


def _runs(
    fact: TimeChargeDebited, parts: Sequence[Part], prices: Sequence[Price]
) -> Iterator[tuple[Part, date, date, Price]]:
    """Yield runs of whole dates with who pays for them and at what price; dates that two share are nobody's."""
    run: tuple[Part, date, date, Price] | None = None
    for ordinal in range(fact.first_date.toordinal(), fact.last_date.toordinal() + 1):
        day = date.fromordinal(ordinal)
        price = price_of(prices, day)
        if price is None or price.tariff is None:
            raise Underivable(f"no tariff is in force now for {day.isoformat()}")
        part = _payer(parts, price.tariff.days, day)
        if run is not None and run[0] is part and run[3] is price:
            run = (part, run[1], day, price)
            continue
        if run is not None:
            yield run
        run = None if part is None else (part, day, day, price)
    if run is not None:
        yield run


def _payer(parts: Sequence[Part], days: LocalDays, day: date) -> Part | None:
    begins, ends = days.midnight(day), days.midnight(day + _DAY)
    if any(begins < part.starts < ends for part in parts):
        return None
    return [part for part in parts if part.starts <= begins][-1]


def _last_of(period: str) -> date:
    return ladder.month_of(period)[1] - _DAY
