"""Facts of a supply point's life for the read models: meters crossed and confirmed, moves rebooked, holds settled."""

from datetime import datetime, timedelta

import msgspec

from ledger.domain.event import Fact
from ledger.domain.meter import Difference, MeterState, ReadingHeld, Source
from ledger.domain.meter_life import HoldSettled, OccupancyCorrected, SerialConfirmed
from ledger.domain.postings import correction_postings
from ledger.domain.supply_life import ConcentratorChanged, MeterRemoved, SupplyVacated
from ledger.rating.lines import Counters


def a_life(held: ReadingHeld, *, former: str, following: str, at: datetime) -> list[Fact]:
    """What happens to the supply point of a held reading; one meter stays crossed, so that somebody has work."""
    supply, source = held.supply, held.source
    crossed = msgspec.structs.replace(held, reason="crossed-meter", state=MeterState(read_back="9"))
    return [
        crossed,
        _confirmed(crossed, source, at),
        crossed,
        HoldSettled(
            supply=supply,
            meter=held.meter,
            reading=held.reading,
            outcome="dismissed",
            detail="dismissed: it is no money",
            operator="op-1",
            reason="seen-on-site",
            source=source,
            state=MeterState(read_back="9"),
            recorded_at=at,
        ),
        msgspec.structs.replace(crossed, detail="and again"),
        rebooked(supply=supply, former=former, following=following, source=source, at=at),
        SupplyVacated(supply=supply, account=following, landlord=former, vacated_at=at, recorded_at=at),
        ConcentratorChanged(supply=supply, concentrator="conc-2", before="conc-1", recorded_at=at),
        MeterRemoved(supply=supply, meter=held.meter, removed_at=at + timedelta(hours=1), recorded_at=at),
    ]


def _confirmed(held: ReadingHeld, source: Source, at: datetime) -> SerialConfirmed:
    return SerialConfirmed(
        supply=held.supply, meter=held.meter, read_at=at, source=source, state=MeterState(), recorded_at=at
    )


def rebooked(*, supply: str, former: str, following: str, source: Source, at: datetime) -> OccupancyCorrected:
    """Usage of half a kilowatt-hour goes from one account to another."""
    lines = [
        Difference(
            account=account,
            period="2026-07",
            component="energy",
            reversed_micros=max(-amount, 0),
            rerated_micros=max(amount, 0),
            amount_micros=amount,
            tariff="flat",
            version=1,
        )
        for account, amount in ((former, -300_000), (following, 310_000))
    ]
    return OccupancyCorrected(
        supply=supply,
        account=following,
        former=former,
        occupancy=1,
        occupied_from=at,
        debit_version=1,
        moved_milliwh=500_000,
        before=Counters(),
        rerated=1,
        lines=lines,
        amount_micros=10_000,
        postings=correction_postings(lines),
        source=source,
        state=MeterState(read_back="9"),
        usages=((following, 500_000), (former, -500_000)),
        recorded_at=at,
    )
