"""Examples of the facts of a supply point's life, for the golden files: every field that may be left out is there."""

from uuid import UUID

import msgspec

from ledger.domain.event import Fact
from ledger.domain.meter import Difference, Former, MeterState, ReadingHeld, Source, UsageCorrected, UsageDebited
from ledger.domain.meter_life import BaseChanged, HoldSettled, OccupancyClosed, OccupancyCorrected, SerialConfirmed
from ledger.domain.postings import correction_postings
from ledger.domain.site import SiteSettingsChanged
from ledger.domain.supply import MeterInstalled, SupplyOccupied
from ledger.domain.supply_life import (
    ConcentratorChanged,
    HoldResolved,
    LandlordAssigned,
    MeterRemoved,
    MultiplierChanged,
    SupplyCommissioned,
    SupplyVacated,
)
from ledger.rating.lines import Counters
from tests.ledger.builders import MOVED_IN, minutes

READING = UUID("6f2b0f4e-1d5c-5c1b-9b43-7f4d8a0c2e11")
SOURCE = Source(3, 1207, minutes(15.1), "edge-1", 96)
COUNTERS = Counters("2026-03", 1_000_000)
STATE = MeterState(
    meter="room-1-m2",
    account="room-1-b",
    billed_to=minutes(15),
    register_milliwh=101_000_000,
    counters=COUNTERS,
    supply_version=9,
    occupancy=2,
    former=(Former(0, COUNTERS), Former(1, Counters())),
    read_back="400000000002",
)
MOVED = [
    Difference(
        account=account,
        period="2026-03",
        component="energy",
        reversed_micros=was,
        rerated_micros=comes,
        amount_micros=comes - was,
        tariff="flat",
        version=2,
    )
    for account, was, comes in (("room-1-a", 617_000, 308_500), ("room-1-b", 0, 308_500))
]


def facts_of_life(debit: UsageDebited, held: ReadingHeld, corrected: UsageCorrected) -> list[Fact]:
    """Every fact of a supply point's life, and what facts that were there before have gained."""
    return [
        msgspec.structs.replace(debit, occupancy=2, multiplier="40", state=STATE),
        msgspec.structs.replace(held, import_milliwh=940_000_000, started_at=MOVED_IN, state=STATE),
        msgspec.structs.replace(corrected, usages=(("room-1-a", -60_000), ("room-1-b", -40_000)), state=STATE),
        MeterInstalled(
            supply="room-1",
            meter="room-1-m2",
            profile="acrel_ddsy1352",
            installed_at=minutes(15),
            opening_milliwh=0,
            max_power_w=10_000,
            multiplier="200/3",
            recorded_at=minutes(20),
        ),
        SupplyOccupied(
            supply="room-1", account="landlord", occupied_from=minutes(15), is_vacant=True, recorded_at=minutes(20)
        ),
        MeterRemoved(
            supply="room-1",
            meter="room-1-m",
            removed_at=minutes(15),
            closing_milliwh=101_000_000,
            recorded_at=minutes(20),
        ),
        MultiplierChanged(
            supply="room-1",
            meter="room-1-m",
            effective_from=minutes(15),
            multiplier="40",
            register_milliwh=101_000_000,
            recorded_at=minutes(20),
        ),
        SupplyVacated(
            supply="room-1",
            account="room-1-a",
            landlord="landlord",
            vacated_at=minutes(15),
            closing_milliwh=101_000_000,
            recorded_at=minutes(20),
        ),
        SiteSettingsChanged(
            site="north",
            effective_from=MOVED_IN,
            reconnection="arm",
            warning_balance_micros=5_000_000,
            landlord="landlord",
            recorded_at=MOVED_IN,
        ),
        SiteSettingsChanged(
            site="north",
            effective_from=MOVED_IN,
            reconnection="arm",
            warning_balance_micros=5_000_000,
            requires_commissioning=True,
            recorded_at=MOVED_IN,
        ),
        LandlordAssigned(supply="room-1", account="landlord", effective_from=MOVED_IN, recorded_at=MOVED_IN),
        SupplyCommissioned(
            supply="room-1",
            meter="room-1-m",
            commissioned_at=MOVED_IN,
            operator="op-7",
            passed=True,
            register_milliwh=100_000_000,
            relay="tripped",
            load_before_w=1_200,
            load_open_w=0,
            recorded_at=minutes(5),
        ),
        SupplyCommissioned(
            supply="room-1",
            meter="room-1-m",
            commissioned_at=MOVED_IN,
            operator="op-7",
            passed=False,
            relay="none",
            failed="reading",
            recorded_at=minutes(5),
        ),
        ConcentratorChanged(supply="room-1", concentrator="c2", before="c1", recorded_at=MOVED_IN),
        HoldResolved(
            supply="room-1",
            meter="room-1-m",
            reading=READING,
            resolution="release",
            operator="op-7",
            reason="seen-on-site",
            read_at=minutes(30),
            started_at=minutes(15),
            import_milliwh=940_000_000,
            quality="estimated",
            profile="nem12",
            raw="300,20260302,0.9",
            recorded_at=minutes(60),
        ),
        BaseChanged(
            supply="room-1",
            meter="room-1-m2",
            change="multiplier-changed",
            changed_at=minutes(15),
            closing_milliwh=101_000_000,
            opening_milliwh=4_040_000_000,
            multiplier="40",
            source=SOURCE,
            state=STATE,
            recorded_at=minutes(20),
        ),
        OccupancyClosed(
            supply="room-1",
            account="room-1-a",
            occupancy=1,
            occupied_from=MOVED_IN,
            vacated_at=minutes(15),
            closing_milliwh=101_000_000,
            is_apportioned=True,
            counters=COUNTERS,
            successor="room-1-b",
            source=SOURCE,
            state=STATE,
            recorded_at=minutes(20),
        ),
        OccupancyCorrected(
            supply="room-1",
            account="room-1-b",
            former="room-1-a",
            occupancy=2,
            occupied_from=minutes(10),
            debit_version=7,
            cut_milliwh=500_000,
            moved_milliwh=500_000,
            before=COUNTERS,
            rerated=1,
            lines=MOVED,
            amount_micros=0,
            postings=correction_postings(MOVED),
            source=SOURCE,
            state=STATE,
            recorded_at=minutes(20),
        ),
        OccupancyCorrected(
            supply="room-1",
            account="room-1-b",
            former="room-1-a",
            occupancy=2,
            occupied_from=minutes(10),
            debit_version=7,
            moved_milliwh=500_000,
            before=COUNTERS,
            rerated=1,
            lines=MOVED,
            amount_micros=0,
            postings=correction_postings(MOVED),
            source=SOURCE,
            state=STATE,
            usages=(("room-1-a", -500_000), ("room-1-b", 500_000)),
            recorded_at=minutes(20),
        ),
        HoldSettled(
            supply="room-1",
            meter="room-1-m",
            reading=READING,
            outcome="billed",
            detail="the debit before this event",
            operator="op-7",
            reason="seen-on-site",
            source=SOURCE,
            state=STATE,
            recorded_at=minutes(60),
        ),
        SerialConfirmed(
            supply="room-1",
            meter="room-1-m",
            read_at=minutes(30),
            source=SOURCE,
            state=STATE,
            recorded_at=minutes(60),
        ),
    ]
