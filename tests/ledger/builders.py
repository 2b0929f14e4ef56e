"""A household on a supply point, metered by register or by interval, without any database.

`household.reads(kwh=1.5, at=15)` is a reading of 1.5 kWh fifteen minutes after the household moved in; energies are
kilowatt-hours above the opening register, so that a test reads like a meter.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from ledger.domain import intervals
from ledger.domain.billed import BilledHistory
from ledger.domain.meter import (
    BillingPeriodClosed,
    ReadingHeld,
    Source,
    TimeChargeDebited,
    UsageCorrected,
    UsageDebited,
)
from ledger.domain.metering import Draft, Metering, take_interval, take_register
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import MeterInstalled, Supply, SupplyOccupied, SupplyRegistered, TermsAssigned
from ledger.domain.tariff import TariffPublished
from ledger.domain.ticking import take_tick
from ledger.values.energy import milliwh_from_kwh
from ledger.wire import IntervalReading, Quality, RegisterReading

MeterFact = UsageDebited | ReadingHeld | UsageCorrected | TimeChargeDebited | BillingPeriodClosed

SHANGHAI = ZoneInfo("Asia/Shanghai")
MOVED_IN = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
OPENING_KWH = Decimal(100)
MAX_POWER_W = 10_000
MODULUS_KWH = Decimal(1_000_000)

FLAT_TARIFF = """
code = "flat"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"

[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.617"

[[taxes]]
component = "vat"
percent = "13"
on = ["energy"]
"""


def milliwh(kwh: Decimal | float | str) -> int:
    return milliwh_from_kwh(Decimal(str(kwh)))


def minutes(number: float) -> datetime:
    """The instant so many minutes after moving in."""
    return MOVED_IN + timedelta(minutes=number)


def tariff_text(*, price: str = "0.617", vat: str = "13", zone: str = "Asia/Shanghai", code: str = "flat") -> str:
    return (
        FLAT_TARIFF.replace("0.617", price)
        .replace('"13"', f'"{vat}"')
        .replace("Asia/Shanghai", zone)
        .replace('"flat"\ncurrency', f'"{code}"\ncurrency')
    )


def published(*, text: str = FLAT_TARIFF, at: datetime = MOVED_IN, version: int = 1) -> TariffPublished:
    return TariffPublished(
        tariff="flat", version=version, effective_from=at, text=text, note="", recorded_at=MOVED_IN
    )


def registered(supply: str = "room-1") -> SupplyRegistered:
    return SupplyRegistered(supply=supply, site="north", concentrator="c1", recorded_at=MOVED_IN)


def installed(supply: str = "room-1", *, measures: str = "register", rolls_over: bool = True) -> MeterInstalled:
    return MeterInstalled(
        supply=supply,
        meter=f"{supply}-m",
        profile="acrel_ddsy1352",
        installed_at=MOVED_IN,
        opening_milliwh=milliwh(OPENING_KWH),
        max_power_w=MAX_POWER_W,
        modulus_milliwh=milliwh(MODULUS_KWH) if rolls_over else 0,
        resolution_milliwh=10_000,
        measures="interval" if measures == "interval" else "register",
        recorded_at=MOVED_IN,
    )


def occupied(
    supply: str = "room-1", *, at: datetime = MOVED_IN, opening_kwh: Decimal = OPENING_KWH
) -> SupplyOccupied:
    return SupplyOccupied(
        supply=supply,
        account=f"{supply}-a",
        occupied_from=at,
        opening_milliwh=milliwh(opening_kwh),
        recorded_at=MOVED_IN,
    )


def assigned(supply: str = "room-1", *, at: datetime = MOVED_IN, contracted_w: int = 0) -> TermsAssigned:
    return TermsAssigned(
        supply=supply, tariff="flat", effective_from=at, contracted_w=contracted_w, recorded_at=MOVED_IN
    )


def interval_of(between: tuple[float, float], kwh: Decimal | float, quality: Quality = "measured") -> IntervalReading:
    """An interval reading of the household's meter, in minutes after moving in."""
    return IntervalReading(
        meter="room-1-m",
        start=minutes(between[0]),
        end=minutes(between[1]),
        import_milliwh=milliwh(kwh),
        quality=quality,
        profile="nem12",
    )


@dataclass(slots=True)
class Household:
    """A supply point with one meter, and the meter stream that its readings leave behind."""

    snapshot: PricingSnapshot
    metering: Metering = field(default_factory=Metering)
    opening_kwh: Decimal = OPENING_KWH
    draft: Draft = field(init=False)
    messages: int = 0

    def __post_init__(self) -> None:
        self.draft = Draft(self.snapshot, recorded_at=MOVED_IN)

    @property
    def supply(self) -> Supply:
        return self.snapshot.supplies["room-1"]

    def reads(
        self,
        kwh: Decimal | float,
        *,
        at: float,
        published_at: float | None = None,
        quality: Quality = "measured",
    ) -> None:
        """Take in a register reading, in kilowatt-hours above the opening register."""
        self.reads_register(self.opening_kwh + Decimal(str(kwh)), at=at, published_at=published_at, quality=quality)

    def reads_register(
        self, kwh: Decimal, *, at: float, published_at: float | None = None, quality: Quality = "measured"
    ) -> None:
        """Take in a reading of the register as it stands."""
        reading = RegisterReading(
            meter="room-1-m",
            read_at=minutes(at),
            import_milliwh=milliwh(kwh),
            quality=quality,
            profile="acrel_ddsy1352",
            raw="0001",
        )
        source = self.source(at if published_at is None else published_at)
        take_register(self.draft, self.metering, self.supply, reading, source)

    def uses(
        self,
        kwh: Decimal | float,
        *,
        between: tuple[float, float],
        published_at: float | None = None,
        billed: BilledHistory | None = None,
        quality: Quality = "measured",
    ) -> None:
        """Take in an interval reading of the meter."""
        reading = interval_of(between, kwh, quality)
        source = self.source(max(between) if published_at is None else published_at)
        take_interval(self.draft, self.metering, self.supply, reading, source, billed)

    def corrects(
        self,
        kwh: Decimal | float,
        *,
        between: tuple[float, float],
        quality: Quality = "measured",
        supersedes: UUID | None = None,
        billed: BilledHistory | None = None,
    ) -> None:
        """Take in an interval reading that supersedes the one of its span, or another."""
        reading = interval_of(between, kwh, quality)
        reading = msgspec.structs.replace(reading, supersedes=supersedes or intervals.identity(reading))
        history = billed or self.billed_intervals
        take_interval(self.draft, self.metering, self.supply, reading, self.source(10**6), history)

    def ticks(self, day: date | str, *, published_at: datetime | None = None) -> None:
        """Take in the tick of a local date, published a minute after it ended at 00:00 in Shanghai or later."""
        through = date.fromisoformat(day) if isinstance(day, str) else day
        midnight = datetime(through.year, through.month, through.day, tzinfo=SHANGHAI) + timedelta(days=1, minutes=1)
        self.messages += 1
        source = Source(0, self.messages, published_at or midnight.astimezone(UTC), local_date=through)
        take_tick(self.draft, self.metering, self.supply, through=through, source=source)

    def source(self, at: float) -> Source:
        self.messages += 1
        return Source(0, self.messages, minutes(at), "edge-1", self.messages)

    @property
    def facts(self) -> list[MeterFact]:
        return [event.fact for event in self.draft.events]

    @property
    def debits(self) -> list[UsageDebited]:
        return [fact for fact in self.facts if isinstance(fact, UsageDebited)]

    @property
    def time_charges(self) -> list[TimeChargeDebited]:
        return [fact for fact in self.facts if isinstance(fact, TimeChargeDebited)]

    @property
    def closings(self) -> list[BillingPeriodClosed]:
        return [fact for fact in self.facts if isinstance(fact, BillingPeriodClosed)]

    @property
    def charged_dates(self) -> list[date]:
        """Every local date that was charged, in the order of the charges."""
        return [
            fact.first_date + timedelta(days=number)
            for fact in self.time_charges
            for number in range((fact.last_date - fact.first_date).days + 1)
        ]

    def total_of(self, component: str) -> int:
        """All that was booked on a component, in micro-units."""
        return sum(
            line.amount_micros
            for fact in self.facts
            if not isinstance(fact, ReadingHeld)
            for line in fact.lines
            if line.component == component
        )

    @property
    def holds(self) -> list[ReadingHeld]:
        return [fact for fact in self.facts if isinstance(fact, ReadingHeld)]

    @property
    def corrections(self) -> list[UsageCorrected]:
        return [fact for fact in self.facts if isinstance(fact, UsageCorrected)]

    @property
    def held_for(self) -> list[str]:
        """The reasons of the recorded holds, in order."""
        return [fact.reason for fact in self.holds]

    @property
    def billed_kwh(self) -> Decimal:
        return Decimal(sum(fact.usage_milliwh for fact in self.debits)).scaleb(-6)

    @property
    def billed_intervals(self) -> BilledHistory:
        """What the store would look up: all that was billed so far."""
        history = BilledHistory()
        for event in self.draft.events:
            history.take(event.originator_version, event.fact)
        return history


def household(
    *,
    measures: str = "register",
    occupied_at: datetime | None = MOVED_IN,
    terms_from: datetime | None = MOVED_IN,
    opening_kwh: Decimal = OPENING_KWH,
    rolls_over: bool = True,
    text: str = FLAT_TARIFF,
) -> Household:
    snapshot = PricingSnapshot()
    snapshot.apply(published(text=text, at=MOVED_IN - timedelta(days=800)))
    snapshot.apply(registered())
    snapshot.apply(installed(measures=measures, rolls_over=rolls_over))
    if occupied_at is not None:
        snapshot.apply(occupied(at=occupied_at, opening_kwh=opening_kwh))
    if terms_from is not None:
        snapshot.apply(assigned(at=terms_from))
    return Household(snapshot, opening_kwh=opening_kwh)
