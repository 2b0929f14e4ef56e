"""Facts of switching, every field that one may leave out being there."""

from datetime import timedelta
from uuid import UUID

from ledger.domain.cuts import CutsDismissed, CutsHeld, CutsReleased
from ledger.domain.event import Fact
from ledger.domain.local_hours import LocalHours
from ledger.domain.relay import (
    CloseConsented,
    ForcedOn,
    ForcingEnded,
    GraceBegun,
    GraceExtended,
    LockCleared,
    LockSet,
    LowBalanceWarned,
    OrderIssued,
    WarningCleared,
)
from ledger.domain.switching_rules import SwitchingRules, SwitchingRulesSet
from ledger.domain.timetable import Timetable, TimetableSet
from tests.ledger.builders import MOVED_IN

LATER = MOVED_IN + timedelta(hours=1)
ROOM = {"supply": "room-1", "account": "room-1-a"}

SWITCHING_FACTS: list[Fact] = [
    LowBalanceWarned(**ROOM, balance_micros=1, threshold_micros=2, ledger_position=40, level=2, recorded_at=MOVED_IN),
    WarningCleared(**ROOM, balance_micros=3, ledger_position=41, level=1, recorded_at=MOVED_IN),
    LockSet(
        **ROOM,
        cause="credit",
        balance_micros=-1,
        ledger_position=44,
        reason="works",
        operator="op-7",
        until=LATER,
        site="north",
        threshold_micros=-5,
        reading_at=MOVED_IN,
        warned_at=MOVED_IN,
        crossed_at=43,
        recorded_at=MOVED_IN,
    ),
    LockCleared(
        **ROOM,
        cause="maintenance",
        balance_micros=0,
        ledger_position=0,
        reason="done",
        operator="op-8",
        approved_by="op-9",
        proposal="clear-1",
        recorded_at=MOVED_IN,
    ),
    CloseConsented(**ROOM, channel="kiosk", with_top_up=True, recorded_at=MOVED_IN),
    GraceBegun(
        **ROOM,
        cause="catch-up",
        crossed_at=43,
        until=LATER,
        balance_micros=-1,
        threshold_micros=0,
        ledger_position=44,
        recorded_at=MOVED_IN,
    ),
    GraceExtended(supply="room-1", until=LATER, silent_since=MOVED_IN, counted_to=MOVED_IN, recorded_at=MOVED_IN),
    ForcedOn(**ROOM, reason="doctor", operator="op-7", until=LATER, recorded_at=MOVED_IN),
    ForcingEnded(supply="room-1", reason="gone", operator="op-7", recorded_at=MOVED_IN),
    OrderIssued(
        **ROOM,
        order=UUID("00000000-0000-0000-0000-000000000007"),
        sequence=3,
        action="open",
        reason="no-credit",
        concentrator="c1",
        meter="room-1-m",
        balance_micros=-1,
        ledger_position=44,
        issued_at=MOVED_IN,
        expires_at=LATER,
        signature="00",
        threshold_micros=-5,
        reading_at=MOVED_IN,
        locks=("credit",),
        attempt=2,
        recorded_at=MOVED_IN,
    ),
    SwitchingRulesSet(
        site="north",
        effective_from=MOVED_IN,
        rules=SwitchingRules(
            reading_age_s=1,
            warning_lead_s=2,
            least_on_s=3,
            gap_s=4,
            grace_s=5,
            silence_s=6,
            batch_least=7,
            batch_percent=8,
            batch_window_s=9,
            closings_at_once=10,
        ),
        operator="op-7",
        recorded_at=MOVED_IN,
    ),
    CutsHeld(
        site="north",
        batch=1,
        supplies=("room-1", "room-2"),
        recent=1,
        limit=5,
        of=200,
        ledger_position=50,
        recorded_at=MOVED_IN,
    ),
    CutsReleased(site="north", batch=1, reason="looked-at", operator="op-7", until=LATER, recorded_at=MOVED_IN),
    CutsDismissed(site="north", batch=1, reason="wrong-tariff", operator="op-7", until=LATER, recorded_at=MOVED_IN),
    TimetableSet(
        site="north",
        effective_from=MOVED_IN,
        timetable=Timetable(
            zone="Asia/Shanghai",
            off=(LocalHours(("monday", "holiday"), 1380, 360),),
            on_dates=(MOVED_IN.date(),),
            country="CN",
            subdivision="",
            holidays=(MOVED_IN.date(),),
        ),
        operator="op-7",
        account_class="student",
        supply="room-1",
        recorded_at=MOVED_IN,
    ),
]
