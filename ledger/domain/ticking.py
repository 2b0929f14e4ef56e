"""From a tick of the calendar to what it charges: whole local days, and the close of billing periods (pure).

A tick says that a local date has ended. Everything due up to it that was not charged yet is charged with it, in
order: so a date is charged exactly once, however often its tick comes, and one that never came is caught up.
"""

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from ledger.domain import closing, occupancy
from ledger.domain.event import Event, Fact
from ledger.domain.meter import BillingPeriodClosed, MeterState, Source, TimeChargeDebited
from ledger.domain.postings import debit_postings
from ledger.domain.supply import Supply
from ledger.domain.time_due import DueClose, DueDays, due
from ledger.rating.daily import rate_days
from ledger.rating.days import LocalDays
from ledger.rating.ladder import Part, month_of
from ledger.rating.lines import FRESH, Counters, Rated

if TYPE_CHECKING:
    from ledger.domain.metering import Draft, Metering, Taker

_DAY = timedelta(days=1)


def take_tick(draft: "Draft", metering: "Metering", supply: Supply, *, through: date, source: Source) -> None:
    """Charge a supply point all that is due up to and including a local date, by the message's time alone.

    What happened to the supply point must be settled before (`settling.py`).
    """
    charging = _Charging(draft, metering, supply, source)
    prices = draft.snapshot.prices_of(supply)
    wanted = due(prices, supply, after=metering.state.charged_to, through=through, known_at=source.published_at)
    for one in wanted:
        if isinstance(one, DueDays):
            charging.charge(one)
        else:
            charging.close_due(one)


def close_occupancy(taker: "Taker", number: int, source: Source) -> None:
    """Close the billing period in which an occupancy ended, where its tariff has a minimum; for the final bill.

    Call it once the usage of the occupancy that is known then is billed. What comes later closes it again.
    """
    ended, successor = taker.supply.occupancies[number : number + 2]
    until = successor.occupied_from
    prices = taker.draft.snapshot.prices_of(taker.supply)
    price = next((one for one in reversed(prices) if one.starts < until), None)
    if price is None or price.tariff is None or not price.tariff.minimums:
        return
    part = closing.lived_in(price.tariff.days, since=ended.occupied_from, until=until)
    if part.first is None or part.until is None or part.first >= part.until:
        return
    period = f"{part.until - _DAY:%Y-%m}"
    charging = _Charging(taker.draft, taker.metering, taker.supply, source)
    charging.close(number, period, part, days=price.tariff.days, until=until, charged_to=None)


class _Charging:
    """One supply point's time charges on their way into the draft."""

    def __init__(self, draft: "Draft", metering: "Metering", supply: Supply, source: Source) -> None:
        self.draft = draft
        self.metering = metering
        self.supply = supply
        self.source = source
        self.prices = draft.snapshot.prices_of(supply)

    def charge(self, days: DueDays) -> None:
        """Draft the charge of whole local dates."""
        price, account = days.price, self.supply.occupancies[days.occupancy].account
        if price.tariff is None:
            raise AssertionError(f"supply {self.supply.code} has days due without a tariff")
        before = self._counters(days.occupancy)
        rated = rate_days(price.tariff, before, first=days.first, last=days.last, contracted_w=price.contracted_w)
        if rated.counters.closed:
            rated = closing.closed_again(self.prices, rated, {f"{days.first:%Y-%m}"})
        after = self._after(days.occupancy, rated.counters, days.last)
        fact = TimeChargeDebited(
            supply=self.supply.code,
            account=account,
            meter=self._meter,
            started_at=price.tariff.days.midnight(days.first),
            ended_at=price.tariff.days.midnight(days.last + _DAY),
            first_date=days.first,
            last_date=days.last,
            contracted_w=price.contracted_w,
            before=before,
            lines=rated.lines,
            amount_micros=rated.amount_micros,
            postings=debit_postings(account=account, lines=rated.lines),
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
            occupancy=days.occupancy,
        )
        self._append(fact, after)

    def close_due(self, close: DueClose) -> None:
        """Draft the close of a period whose last date has ended."""
        if close.price.tariff is None:
            raise AssertionError(f"supply {self.supply.code} has a period to close without a tariff")
        since = self.supply.occupancies[close.occupancy].occupied_from
        days = close.price.tariff.days
        part = closing.lived_in(days, since=since)
        until = days.midnight(close.last + _DAY)
        self.close(close.occupancy, close.period, part, days=days, until=until, charged_to=close.last)

    def close(
        self, number: int, period: str, part: Part, *, days: LocalDays, until: datetime, charged_to: date | None
    ) -> None:
        """Draft the close of a period, or of what an occupancy lived in of it, which ended at an instant."""
        payer, before = self.supply.occupancies[number], self._counters(number)
        account = payer.account
        is_known = occupancy.counters_of(self.metering.state, number) is not None and not before.has_forgotten(period)
        rated = closing.closed(self.prices, before, period=period, part=part) if is_known else Rated([], before)
        after = self._after(number, rated.counters, charged_to)
        fact = BillingPeriodClosed(
            supply=self.supply.code,
            account=account,
            meter=self._meter,
            started_at=max(days.midnight(month_of(period)[0]), payer.occupied_from),
            ended_at=until,
            period=period,
            lived_from=part.first,
            lived_until=part.until,
            before=before,
            lines=rated.lines,
            amount_micros=rated.amount_micros,
            postings=debit_postings(account=account, lines=rated.lines),
            source=self.source,
            state=after,
            recorded_at=self.draft.recorded_at,
            occupancy=number,
            note="" if is_known else closing.FORGOTTEN,
        )
        self._append(fact, after)

    @property
    def _meter(self) -> str:
        return "" if self.supply.meter is None else self.supply.meter.meter

    def _counters(self, number: int) -> Counters:
        return occupancy.counters_of(self.metering.state, number) or FRESH

    def _after(self, number: int, counters: Counters, charged_to: date | None) -> MeterState:
        state = self.metering.state
        latest = max((day for day in (state.charged_to, charged_to) if day is not None), default=None)
        return msgspec.structs.replace(occupancy.with_share(state, number, counters), charged_to=latest)

    def _append(self, fact: Fact, after: MeterState) -> None:
        self.metering.version += 1
        self.metering.state = after
        stream = self.draft.snapshot.stream_of(self.supply.code)
        self.draft.events.append(Event(stream, self.metering.version, fact))
