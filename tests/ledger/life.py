"""A supply point's life without any database: its facts come as use cases would append them, its meters are read.

`life.exchange(at=60, closing=110, opening=0)` exchanges the meter an hour after the household moved in; registers are
kilowatt-hours as the meter shows them.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import msgspec

from ledger.domain.billed import BilledHistory
from ledger.domain.event import Fact
from ledger.domain.intervals import HistoryNeeded
from ledger.domain.meter import (
    BillingPeriodClosed,
    ReadingHeld,
    Source,
    TimeChargeDebited,
    UsageCorrected,
    UsageDebited,
)
from ledger.domain.meter_life import OccupancyClosed, OccupancyCorrected
from ledger.domain.metering import Draft, Metering, take_interval, take_register
from ledger.domain.settling import is_settled, settle
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply, SupplyOccupied
from ledger.domain.supply_life import HoldResolved, MeterRemoved, MultiplierChanged, SupplyVacated
from ledger.domain.ticking import take_tick
from ledger.wire import IntervalReading, Quality, RegisterReading
from tests.ledger.builders import (
    MOVED_IN,
    SHANGHAI,
    household,
    installed,
    interval_of,
    milliwh,
    minutes,
    tariff_text,
)

Kwh = Decimal | float | int
F = TypeVar("F", bound=Fact)


@dataclass(slots=True)
class Life:
    """One supply point, its meter stream, and what it has been told so far."""

    snapshot: PricingSnapshot
    metering: Metering = field(default_factory=Metering)
    draft: Draft = field(init=False)
    messages: int = 0

    def __post_init__(self) -> None:
        self.draft = Draft(self.snapshot, recorded_at=MOVED_IN)

    @property
    def supply(self) -> Supply:
        return self.snapshot.supplies["room-1"]

    @property
    def meter(self) -> str:
        return self.supply.spells[-1].meter.meter

    def told(self, fact: Fact) -> None:
        """Append a fact to the Supply stream."""
        self.snapshot.apply(fact)

    def removes(self, *, at: float, closing: Kwh | None) -> None:
        self.told(
            MeterRemoved(
                supply="room-1",
                meter=self.meter,
                removed_at=minutes(at),
                closing_milliwh=None if closing is None else milliwh(closing),
                recorded_at=MOVED_IN,
            )
        )

    def installs(self, *, at: float, opening: Kwh, serial: str = "room-1-n", multiplier: str = "1") -> None:
        meter = msgspec.structs.replace(
            installed(),
            meter=serial,
            installed_at=minutes(at),
            opening_milliwh=milliwh(opening),
            multiplier=multiplier,
        )
        self.told(meter)

    def exchanges(self, *, at: float, closing: Kwh | None, opening: Kwh, serial: str = "room-1-n") -> None:
        self.removes(at=at, closing=closing)
        self.installs(at=at, opening=opening, serial=serial)

    def multiplies(self, multiplier: str, *, at: float, register: Kwh) -> None:
        self.told(
            MultiplierChanged(
                supply="room-1",
                meter=self.meter,
                effective_from=minutes(at),
                multiplier=multiplier,
                register_milliwh=milliwh(register),
                recorded_at=MOVED_IN,
            )
        )

    def moves_in(self, account: str, *, at: float, register: Kwh | None = None) -> None:
        self.told(
            SupplyOccupied(
                supply="room-1",
                account=account,
                occupied_from=minutes(at),
                opening_milliwh=None if register is None else milliwh(register),
                recorded_at=MOVED_IN,
            )
        )

    def moves_out(self, *, at: float, register: Kwh | None = None) -> None:
        self.told(
            SupplyVacated(
                supply="room-1",
                account=self.supply.occupancies[-1].account,
                landlord="landlord",
                vacated_at=minutes(at),
                closing_milliwh=None if register is None else milliwh(register),
                recorded_at=MOVED_IN,
            )
        )

    def resolves(self, held: ReadingHeld, resolution: str) -> None:
        assert held.import_milliwh is not None
        self.told(
            HoldResolved(
                supply="room-1",
                meter=held.meter,
                reading=held.reading,
                resolution="release" if resolution == "release" else "dismiss",
                operator="op-1",
                reason="seen-on-site",
                read_at=held.read_at,
                started_at=held.started_at,
                import_milliwh=held.import_milliwh,
                quality=held.quality,
                recorded_at=MOVED_IN,
            )
        )

    def reads(self, kwh: Kwh, *, at: float, serial: str = "", read_back: str | None = None) -> None:
        """Take in a reading of the meter that is installed now, or of another one, as it shows its register."""
        reading = RegisterReading(
            meter=serial or self.meter, read_at=minutes(at), import_milliwh=milliwh(kwh), serial=read_back
        )
        source = self.settled(at)
        take_register(self.draft, self.metering, self.supply, reading, source)

    def uses(
        self, kwh: Kwh, *, between: tuple[float, float], quality: Quality = "measured", told_at: float = 10**6
    ) -> None:
        self.takes(interval_of(between, float(kwh), quality), told_at)

    def takes(self, reading: IntervalReading, told_at: float = 10**6) -> None:
        source = self.settled(told_at)
        try:
            take_interval(self.draft, self.metering, self.supply, reading, source, None)
        except HistoryNeeded:
            take_interval(self.draft, self.metering, self.supply, reading, source, self.history)

    def ticks(self, day: str, *, hour: int = 0) -> None:
        """Take in the tick of a local date, so many hours after it ended at midnight in Shanghai."""
        through = date.fromisoformat(day)
        midnight = datetime(through.year, through.month, through.day, tzinfo=SHANGHAI) + timedelta(days=1)
        at = (midnight.astimezone(UTC) - MOVED_IN) / timedelta(minutes=1) + hour * 60
        source = msgspec.structs.replace(self.settled(at), local_date=through)
        take_tick(self.draft, self.metering, self.supply, through=through, source=source)

    def settled(self, at: float = 10**6) -> Source:
        """Settle as the partition's owner would before it takes anything."""
        self.messages += 1
        source = Source(0, self.messages, minutes(at), "edge-1", self.messages)
        history: BilledHistory | None = None
        while not is_settled(self.metering, self.supply):
            try:
                settle(self.draft, self.metering, self.supply, source, history)
            except HistoryNeeded:
                history = self.history
        return source

    @property
    def history(self) -> BilledHistory:
        history = BilledHistory()
        for event in self.draft.events:
            history.take(event.originator_version, event.fact)
        return history

    def facts(self, kind: type[F]) -> list[F]:
        return [event.fact for event in self.draft.events if isinstance(event.fact, kind)]

    @property
    def kinds(self) -> list[str]:
        return [type(event.fact).__name__ for event in self.draft.events]

    @property
    def holds(self) -> list[ReadingHeld]:
        return [event.fact for event in self.draft.events if isinstance(event.fact, ReadingHeld)]

    @property
    def closed(self) -> list[OccupancyClosed]:
        return [event.fact for event in self.draft.events if isinstance(event.fact, OccupancyClosed)]

    @property
    def kwh(self) -> dict[str, Decimal]:
        """What each account was billed, in kilowatt-hours."""
        totals: Counter[str] = Counter()
        for event in self.draft.events:
            match event.fact:
                case UsageDebited() as fact:
                    totals[fact.account] += fact.usage_milliwh
                case OccupancyCorrected() as fact:
                    for account, change in fact.usages:
                        totals[account] += change
                case UsageCorrected() as fact:
                    alone = ((fact.account, fact.usage_milliwh - fact.replaced_milliwh),)
                    for account, change in fact.usages or alone:
                        totals[account] += change
        return {account: Decimal(total).scaleb(-6) for account, total in totals.items() if total}

    @property
    def charged(self) -> dict[tuple[str, str], int]:
        """What each account was charged on each component, in micro-units."""
        totals: Counter[tuple[str, str]] = Counter()
        for event in self.draft.events:
            match event.fact:
                case UsageDebited() | TimeChargeDebited() | BillingPeriodClosed() as fact:
                    for line in fact.lines:
                        totals[fact.account, line.component] += line.amount_micros
                case OccupancyCorrected() | UsageCorrected() as fact:
                    for difference in fact.lines:
                        totals[difference.account, difference.component] += difference.amount_micros
        return {key: amount for key, amount in totals.items() if amount}


def life(*, measures: str = "register", text: str = "") -> Life:
    """A supply point whose first occupant, `room-1-a`, moved in with the meter at 100 kWh."""
    return Life(household(measures=measures, text=text or tariff_text()).snapshot)
