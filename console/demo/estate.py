"""The demo's estate: two concentrators with six rooms each, three of them with next to nothing to their credit."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.embedded.ports import free_port
from console.errors import ServiceFailed
from console.installing import meter_facts
from ledger.domain.credit.policy import CreditPolicy, EmergencyCredit, FriendlyHours, FriendlyTimes
from ledger.domain.local_hours import DayName
from ledger.store.application import Ledger
from ledger.usecases.accounts import top_up
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.protection import protect_supply
from ledger.usecases.sites import change_site_settings
from ledger.usecases.switching import set_switching_rules
from ledger.usecases.tariffs import publish_tariff
from ledger.values.money import MICROS_PER_UNIT

SITE = "riverside"
CURRENCY = "CNY"
PROFILE = "acrel_ddsy1352"
WARNING_BALANCE_MICROS = 600_000
EMERGENCY_MICROS = 300_000
EVERY_DAY: tuple[DayName, ...] = (
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
)
OPENING_CREDIT_MICROS = 60 * MICROS_PER_UNIT
# What these rooms begin with: gone within the first half minute, one after the other.
POOR = {"room-103": 700_000, "room-105": 1_100_000, "room-204": 1_800_000}
# Life support: it uses more than it has, and is never cut for it.
PROTECTED = "room-106"
PROTECTED_CREDIT_MICROS = 800_000
# Its consumer pays from the sofa, long before anything is wanting.
ONLINE_ROOM = "room-202"
# Its consumer has a card bound, which is charged before the balance is low enough for a warning.
CARD_ROOM = "room-206"
CARD_CREDIT_MICROS = 800_000
CARD_BELOW_MICROS = 700_000
CARD_MICROS = 20 * MICROS_PER_UNIT
# The provider says at once that it will tell, and then does.
CARD_TOKEN = "tok_pending"  # noqa: S105 - a test token of the sandbox
# What people try commands on.
ROOM_TO_TRY = "room-201"
ROOMS = [f"room-{floor}0{number}" for floor in (1, 2) for number in range(1, 7)]

# Household load is a few hundred watts, and a register's step 10 Wh: faster than the clock there is something to see.
SPEED = 300
# The same evening each time, dinner and kettles included: at night the story would take too long.
EVENING = "2026-01-05T18:00:00+00:00"
_HOUSEHOLD_MAX_W = 20_000

TARIFF = f"""
code = "residential"
currency = "{CURRENCY}"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"

[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.5469"

[[taxes]]
component = "vat"
percent = "13"
on = ["energy"]
"""


@dataclass(frozen=True, slots=True)
class Room:
    """A supply point of the demo with its meter and where it hangs."""

    supply: str
    serial: str
    concentrator: str
    unit: int

    @property
    def account(self) -> str:
        """The account that occupies it."""
        return f"account-{self.supply.removeprefix('room-')}"


def rooms() -> list[Room]:
    """Return the demo's rooms: floor 1 behind one concentrator, floor 2 behind the other."""
    return [
        Room(supply=code, serial=f"2026{int(code[5:]):08d}", concentrator=f"floor-{code[5]}", unit=int(code[-1]))
        for code in ROOMS
    ]


def write_site_file(path: Path) -> None:
    """Write the collector's site file, on ports that are free."""
    lines = ["[collector]", 'id = "demo-edge"', "poll_interval_s = 1.0", "request_timeout_s = 2.0", ""]
    for concentrator in ("floor-1", "floor-2"):
        lines += ["[[concentrators]]", f'id = "{concentrator}"', 'host = "127.0.0.1"', f"port = {free_port()}", ""]
        for room in rooms():
            if room.concentrator == concentrator:
                lines += [
                    "[[concentrators.meters]]",
                    f'serial = "{room.serial}"',
                    f"unit = {room.unit}",
                    f'supply = "{room.supply}"',
                    f'profile = "{PROFILE}"',
                    "protected = true" if room.supply == PROTECTED else "",
                    "",
                ]
    path.write_text("\n".join(lines))


def opening_registers(state_file: Path, *, timeout_s: float = 20.0) -> dict[str, int]:
    """Return each meter's opening register in milliwatt-hours, as the simulator tells it once it runs."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if state_file.exists():
            meters = json.loads(state_file.read_text())["meters"]
            return {serial: int(meter["opening_milliwh"]) for serial, meter in meters.items()}
        time.sleep(0.05)
    raise ServiceFailed(f"the simulator wrote no state to {state_file} within {timeout_s:g} s; see its log")


def set_up(ledger: Ledger, *, openings: dict[str, int], since: datetime) -> None:
    """Publish the tariff, register every room with its meter, open its account and pay in what it begins with."""
    now = datetime.now(UTC)
    change_site_settings(
        ledger,
        site=SITE,
        reconnection="confirm",
        warning_balance_micros=WARNING_BALANCE_MICROS,
        effective_from=since,
        now=now,
    )
    # What takes hours in life takes seconds here.
    rules = {"warning_lead_s": 2, "least_on_s": 5, "silence_s": 30}
    set_switching_rules(ledger, site=SITE, effective_from=since, operator="demo", now=now, **rules)
    _set_policy(ledger, since=since, now=now)
    publish_tariff(ledger, text=TARIFF, effective_from=since, note="the demo's only tariff", now=now)
    for room in rooms():
        _set_up_room(ledger, room, opening_milliwh=openings[room.serial], since=since, now=now)
    protect_supply(
        ledger,
        supply=PROTECTED,
        category="life-support",
        evidence="demo-evidence-1",
        review_on=now.date() + timedelta(days=180),
        operator="demo",
        now=now,
    )


def friendly_hours(now: datetime) -> FriendlyHours:
    """Return the hours in which nobody is cut: from two hours on, wherever the demo runs, so that it has a story."""
    begins = (now.hour + 2) % 24
    return FriendlyHours(days=EVERY_DAY, begin_minute=begins * 60, end_minute=(begins + 8) % 24 * 60)


def _set_policy(ledger: Ledger, *, since: datetime, now: datetime) -> None:
    """Warn, then lend a little, and cut nobody at night."""
    policy = CreditPolicy(
        warnings_micros=(WARNING_BALANCE_MICROS,),
        emergency=EmergencyCredit(
            limit_micros=EMERGENCY_MICROS, offered_below_micros=WARNING_BALANCE_MICROS, taken="automatic"
        ),
        friendly=FriendlyTimes(hours=(friendly_hours(now),)),
    )
    set_credit_policy(ledger, site=SITE, policy=policy, effective_from=since, operator="demo", now=now)


def _set_up_room(ledger: Ledger, room: Room, *, opening_milliwh: int, since: datetime, now: datetime) -> None:
    wanted = SupplyPoint(
        supply=room.supply,
        site=SITE,
        concentrator=room.concentrator,
        room=room.supply,
        meter=meter_facts(serial=room.serial, profile=PROFILE, max_power_w=_HOUSEHOLD_MAX_W * SPEED),
        account=room.account,
        currency=CURRENCY,
        tariff="residential",
        opening_milliwh=opening_milliwh,
        since=since,
    )
    for _ in equip(ledger, wanted, now=now):
        pass
    own = {**POOR, PROTECTED: PROTECTED_CREDIT_MICROS, CARD_ROOM: CARD_CREDIT_MICROS}
    amount_micros = own.get(room.supply, OPENING_CREDIT_MICROS)
    top_up(
        ledger,
        account=room.account,
        amount_micros=amount_micros,
        channel="kiosk",
        key=f"demo-opening/{room.account}",
        now=now,
        consent=True,
    )
