"""Facts of warnings, locks and orders, every field that one may leave out being there."""

from datetime import timedelta
from uuid import UUID

from ledger.domain.event import Fact
from ledger.domain.relay import (
    CloseConsented,
    LockCleared,
    LockSet,
    LowBalanceWarned,
    OrderConcluded,
    OrderIssued,
    WarningCleared,
)
from tests.ledger.builders import MOVED_IN, minutes

ORDER = UUID("00000000-0000-0000-0000-000000000007")

RELAY_FACTS: list[Fact] = [
    LowBalanceWarned(
        supply="room-1",
        account="room-1-a",
        balance_micros=4_900_000,
        threshold_micros=5_000_000,
        ledger_position=42,
        recorded_at=MOVED_IN,
    ),
    WarningCleared(
        supply="room-1", account="room-1-a", balance_micros=54_900_000, ledger_position=43, recorded_at=MOVED_IN
    ),
    LockSet(
        supply="room-1",
        cause="credit",
        account="room-1-a",
        balance_micros=-1,
        ledger_position=44,
        recorded_at=MOVED_IN,
    ),
    LockCleared(
        supply="room-1",
        cause="credit",
        account="room-1-a",
        balance_micros=49_999_999,
        ledger_position=45,
        recorded_at=MOVED_IN,
    ),
    LockSet(
        supply="room-1",
        cause="operator",
        account="room-1-a",
        balance_micros=0,
        ledger_position=0,
        reason="works",
        operator="op-7",
        recorded_at=MOVED_IN,
    ),
    LockCleared(
        supply="room-1",
        cause="operator",
        account="room-1-a",
        balance_micros=0,
        ledger_position=0,
        reason="works-done",
        operator="op-7",
        recorded_at=MOVED_IN,
    ),
    CloseConsented(supply="room-1", account="room-1-a", channel="app", recorded_at=MOVED_IN),
    OrderIssued(
        supply="room-1",
        order=ORDER,
        sequence=3,
        action="open",
        reason="credit",
        concentrator="c1",
        meter="room-1-m",
        account="room-1-a",
        balance_micros=-1,
        ledger_position=44,
        issued_at=MOVED_IN,
        expires_at=MOVED_IN + timedelta(minutes=5),
        signature="ab" * 64,
        recorded_at=MOVED_IN,
    ),
    OrderConcluded(
        supply="room-1",
        order=ORDER,
        sequence=3,
        outcome="confirmed",
        readback="open",
        concluded_at=minutes(0.1),
        detail="read back in 80 ms",
        recorded_at=minutes(0.2),
    ),
]
