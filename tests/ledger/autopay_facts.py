"""One fact of every topic of automatic top-ups, with every field that it may leave out."""

from datetime import date, timedelta

from ledger.domain.autopay import (
    CapsSet,
    ChargeFailed,
    MethodBound,
    MethodUnbound,
    RhythmEnded,
    ScheduleSet,
    ThresholdSet,
)
from ledger.domain.event import Fact
from tests.ledger.builders import MOVED_IN

AUTOPAY_FACTS: list[Fact] = [
    MethodBound(
        account="room-1-a",
        method="card-1",
        provider="stripe",
        reference_hash="0f" * 32,
        operator="li",
        recorded_at=MOVED_IN,
    ),
    MethodUnbound(account="room-1-a", method="card-1", reason="lost", operator="li", recorded_at=MOVED_IN),
    ScheduleSet(
        account="room-1-a",
        method="card-1",
        amount_micros=50_000_000,
        every="month",
        from_date=date(2026, 3, 31),
        operator="li",
        recorded_at=MOVED_IN,
    ),
    ThresholdSet(
        account="room-1-a",
        method="card-1",
        amount_micros=50_000_000,
        below_micros=10_000_000,
        operator="li",
        recorded_at=MOVED_IN,
    ),
    CapsSet(
        account="room-1-a",
        day_micros=100_000_000,
        month_micros=300_000_000,
        operator="li",
        recorded_at=MOVED_IN,
    ),
    RhythmEnded(account="room-1-a", rhythm="threshold", reason="asked", operator="li", recorded_at=MOVED_IN),
    ChargeFailed(
        account="room-1-a",
        charge="ap-1e1e1e1e",
        method="card-1",
        rhythm="threshold",
        amount_micros=50_000_000,
        attempt=1,
        why="card_declined",
        again_at=MOVED_IN + timedelta(hours=1),
        recorded_at=MOVED_IN,
    ),
]
