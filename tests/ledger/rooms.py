"""Rooms of a site, each with a meter and somebody in it, on the flat tariff."""

from datetime import datetime

from ledger.store.application import Ledger
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.supplies import MeterFacts
from tests.ledger.builders import MOVED_IN


def equip_room(ledger: Ledger, number: int, *, account: str, opening_milliwh: int, now: datetime) -> None:
    """Equip `room-1`, say, with its meter `m1`; the account has been in it since MOVED_IN."""
    point = SupplyPoint(
        supply=f"room-{number}",
        site="north",
        concentrator="c1",
        room=f"{number}",
        meter=MeterFacts(serial=f"m{number}", profile="test", max_power_w=20_000),
        account=account,
        currency="CNY",
        tariff="flat",
        opening_milliwh=opening_milliwh,
        since=MOVED_IN,
    )
    for _ in equip(ledger, point, now=now):
        pass
