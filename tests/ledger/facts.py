"""One fact of every topic, as the golden files hold it: every field that a fact may leave out is there."""

from datetime import date
from typing import TypeVar
from uuid import UUID

import msgspec

from ledger.domain.account import AccountCredited, AccountOpened
from ledger.domain.books import AccountingZoneSet, BalancesClosed, ClosedBalance, MonthClosed
from ledger.domain.event import Fact
from ledger.domain.meter import (
    BillingPeriodClosed,
    Difference,
    Episode,
    MeterState,
    ReadingHeld,
    Source,
    TimeChargeDebited,
    UsageCorrected,
    UsageDebited,
)
from ledger.domain.postings import correction_postings, debit_postings, top_up_postings
from ledger.domain.site import SiteSettingsChanged
from ledger.domain.supply import MeterInstalled, Registers, SupplyOccupied, SupplyRegistered, TermsAssigned
from ledger.domain.tariff import TariffPublished
from ledger.rating.lines import Counters, Line
from ledger.rating.quantities import Quantities
from tests.ledger.autopay_facts import AUTOPAY_FACTS
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN, minutes
from tests.ledger.credit_facts import CREDIT_FACTS
from tests.ledger.facts_of_life import facts_of_life
from tests.ledger.money_facts import MONEY_FACTS, SOLD_BY_AGENT
from tests.ledger.relay_facts import RELAY_FACTS
from tests.ledger.switching_facts import SWITCHING_FACTS
from tests.ledger.token_facts import TOKEN_FACTS

F = TypeVar("F", bound=Fact)

READING = UUID("6f2b0f4e-1d5c-5c1b-9b43-7f4d8a0c2e11")
SOURCE = Source(3, 1207, minutes(15.1), "edge-1", 96)
EPISODE = Episode("leap", READING, minutes(30), 940_000_000, 420_000_000)
STATE = MeterState(
    meter="room-1-m",
    account="room-1-a",
    billed_to=minutes(15),
    register_milliwh=101_000_000,
    counters=Counters("2026-03", 1_000_000, (("2026-01", 7), ("2026-02", 9_000_000))),
    covered=((1772438400, 1772440200), (1772442000, 1772443800)),
    episode=EPISODE,
)
REGISTERS = Registers(
    periods={"峰": 61_000_000, "谷": 40_000_000},
    reactive_millivarh=30_000_000,
    apparent_millivah=105_000_000,
    difference_milliwh=-10_000,
)
QUANTITIES = Quantities(
    periods={"峰": 600_000, "谷": 400_000}, reactive_millivarh=300_000, apparent_millivah=1_050_000, demand_w=4_200
)
LINES = [
    Line(
        component="energy",
        quantity="1.000000",
        unit="kWh",
        price="0.617",
        amount_micros=617_000,
        tariff="flat",
        version=2,
        rule="energy used",
    ),
    Line(
        component="vat",
        quantity="0.617000",
        unit="%",
        price="13",
        amount_micros=80_210,
        tariff="flat",
        version=2,
        tax=True,
        rule="13% of energy",
    ),
]
DAY_LINES = [
    Line(
        component="standing",
        quantity="2",
        unit="day",
        price="0.50",
        amount_micros=1_000_000,
        tariff="flat",
        version=2,
        rule="standing charge a day",
    ),
]
TICK = Source(3, 1_208, MOVED_IN, local_date=date(2026, 3, 31))
CHARGED = msgspec.structs.replace(
    STATE,
    counters=Counters("2026-03", 1_000_000, closed={"2026-03": (date(2026, 3, 2), None)}),
    charged_to=date(2026, 3, 31),
)
DIFFERENCES = [
    Difference(
        account="room-1-a",
        period="2026-02",
        component="energy",
        reversed_micros=617_000,
        rerated_micros=555_300,
        amount_micros=-61_700,
        tariff="flat",
        version=2,
    ),
    Difference(
        account="room-1-a",
        period="2026-02",
        component="vat",
        reversed_micros=80_210,
        rerated_micros=72_189,
        amount_micros=-8_021,
        tariff="flat",
        version=2,
        tax=True,
    ),
    Difference(
        account="room-1-b",
        period="2026-03",
        component="social",
        reversed_micros=-5,
        rerated_micros=0,
        amount_micros=5,
        tariff="flat",
        version=2,
        allowance=True,
    ),
]

FACTS: list[Fact] = [
    AccountOpened(account="room-1-a", site="north", currency="CNY", recorded_at=MOVED_IN),
    AccountCredited(
        account="room-1-a",
        amount_micros=50_000_000,
        channel="kiosk",
        reference_hash="0f" * 32,
        key_hash="1e" * 32,
        postings=top_up_postings(account="room-1-a", channel="kiosk", amount_micros=50_000_000),
        recorded_at=MOVED_IN,
    ),
    SupplyRegistered(
        supply="room-1", site="north", concentrator="c1", building="楼1", room="101", recorded_at=MOVED_IN
    ),
    MeterInstalled(
        supply="room-1",
        meter="room-1-m",
        profile="acrel_ddsy1352",
        installed_at=MOVED_IN,
        opening_milliwh=100_000_000,
        max_power_w=10_000,
        modulus_milliwh=42_949_672_960_000,
        resolution_milliwh=10_000,
        measures="interval",
        recorded_at=MOVED_IN,
    ),
    SupplyOccupied(
        supply="room-1",
        account="room-1-a",
        occupied_from=MOVED_IN,
        opening_milliwh=100_000_000,
        recorded_at=MOVED_IN,
    ),
    TermsAssigned(supply="room-1", tariff="flat", effective_from=MOVED_IN, recorded_at=MOVED_IN),
    TermsAssigned(
        supply="room-1", tariff="flat", effective_from=MOVED_IN, account_class="school", recorded_at=MOVED_IN
    ),
    TermsAssigned(supply="room-1", tariff="flat", effective_from=MOVED_IN, contracted_w=5_500, recorded_at=MOVED_IN),
    TariffPublished(
        tariff="flat", version=2, effective_from=MOVED_IN, text=FLAT_TARIFF, note="yearly", recorded_at=MOVED_IN
    ),
    SiteSettingsChanged(
        site="north",
        effective_from=MOVED_IN,
        reconnection="confirm",
        warning_balance_micros=5_000_000,
        recorded_at=MOVED_IN,
    ),
    UsageDebited(
        supply="room-1",
        account="room-1-a",
        meter="room-1-m",
        reading=READING,
        started_at=MOVED_IN,
        ended_at=minutes(15),
        opening_milliwh=100_000_000,
        closing_milliwh=101_000_000,
        usage_milliwh=1_000_000,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="0000 2775",
        before=Counters("2026-02", 9_000_000, (("2026-01", 7),)),
        lines=LINES,
        amount_micros=697_210,
        postings=debit_postings(account="room-1-a", lines=LINES),
        source=SOURCE,
        state=STATE,
        recorded_at=minutes(15.2),
    ),
    UsageCorrected(
        supply="room-1",
        account="room-1-a",
        meter="room-1-m",
        reading=READING,
        debit_version=7,
        started_at=MOVED_IN,
        ended_at=minutes(15),
        replaced_milliwh=1_000_000,
        replaced_quality="estimated",
        usage_milliwh=900_000,
        quality="measured",
        profile="nem12",
        raw="300,20260302,0.9",
        before=Counters("2026-02", 9_000_000, (("2026-01", 7),)),
        rerated=12,
        lines=DIFFERENCES,
        amount_micros=-69_716,
        postings=correction_postings(DIFFERENCES),
        source=SOURCE,
        state=STATE,
        recorded_at=minutes(15.2),
    ),
    ReadingHeld(
        supply="room-1",
        meter="room-1-m",
        reading=READING,
        reason="leap",
        detail="839000000 mWh since 2026-03-02T08:15:00+00:00, but 10000 W allow 2515555 mWh",
        read_at=minutes(30),
        claimed_milliwh=839_000_000,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="0001 6F30",
        source=SOURCE,
        state=STATE,
        recorded_at=minutes(30.2),
    ),
    TimeChargeDebited(
        supply="room-1",
        account="room-1-a",
        meter="room-1-m",
        started_at=MOVED_IN,
        ended_at=minutes(2_880),
        first_date=date(2026, 3, 30),
        last_date=date(2026, 3, 31),
        contracted_w=5_500,
        before=Counters("2026-03", 1_000_000),
        lines=DAY_LINES,
        amount_micros=1_000_000,
        postings=debit_postings(account="room-1-a", lines=DAY_LINES),
        source=TICK,
        state=CHARGED,
        occupancy=1,
        recorded_at=MOVED_IN,
    ),
    BillingPeriodClosed(
        supply="room-1",
        account="room-1-a",
        meter="room-1-m",
        started_at=MOVED_IN,
        ended_at=minutes(2_880),
        period="2026-03",
        lived_from=date(2026, 3, 2),
        lived_until=date(2026, 3, 31),
        before=Counters("2026-03", 1_000_000),
        lines=DAY_LINES,
        amount_micros=1_000_000,
        postings=debit_postings(account="room-1-a", lines=DAY_LINES),
        source=TICK,
        state=CHARGED,
        occupancy=1,
        recorded_at=MOVED_IN,
        note="the exact state of so old a period is no longer kept",
    ),
    *RELAY_FACTS,
    AccountingZoneSet(zone="Asia/Shanghai", recorded_at=MOVED_IN),
    MonthClosed(
        month="2026-02",
        zone="Asia/Shanghai",
        operator="ana",
        missing_supplies=1,
        missing=["room-1"],
        recorded_at=MOVED_IN,
    ),
    BalancesClosed(
        month="2026-02",
        part=1,
        parts=2,
        balances=[ClosedBalance("room-1-a", "liabilities:prepayment", -4_302_790)],
        recorded_at=MOVED_IN,
    ),
    *MONEY_FACTS,
    *CREDIT_FACTS,
    *AUTOPAY_FACTS,
    *SOLD_BY_AGENT,
]

FACTS += facts_of_life(
    next(fact for fact in FACTS if isinstance(fact, UsageDebited)),
    next(fact for fact in FACTS if isinstance(fact, ReadingHeld)),
    next(fact for fact in FACTS if isinstance(fact, UsageCorrected)),
)


def _first(kind: type[F]) -> F:
    return next(fact for fact in FACTS if isinstance(fact, kind))


# Registers beside the total came later: an example with them beside those without.
FACTS += [
    msgspec.structs.replace(_first(MeterInstalled), opening_registers=REGISTERS, gives=("kvarh", "kVAh", "kW")),
    msgspec.structs.replace(_first(MeterInstalled), multiplier="40", limit_w=250_000),
    msgspec.structs.replace(_first(SupplyOccupied), opening_registers=REGISTERS),
    msgspec.structs.replace(
        _first(UsageDebited),
        opening_registers=REGISTERS,
        closing_registers=REGISTERS,
        quantities=QUANTITIES,
        state=msgspec.structs.replace(STATE, registers=REGISTERS),
    ),
    msgspec.structs.replace(_first(UsageCorrected), replaced_quantities=QUANTITIES, quantities=QUANTITIES),
]
FACTS += SWITCHING_FACTS
FACTS += TOKEN_FACTS
