"""A room whose meter takes tokens, an account that occupies it, and a tariff with a charge a day."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from console.tokens.digits import Secrets
from console.tokens.issued import Token, token_at
from console.tokens.secrets_kept import keep_secrets
from ledger.domain.token_billing import TokenSize
from ledger.store.application import Ledger
from ledger.usecases.accounts import top_up
from ledger.usecases.attempt import Booked
from ledger.usecases.sites import change_site_settings
from ledger.usecases.tariffs import publish_tariff
from ledger.usecases.tokens.issuing import issue_token, tell_meter
from ledger.usecases.tokens.setting_up import bill_by_token
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.ledger.rooms import equip_room
from tests.services.postgres import Database

DAY = timedelta(days=1)
KEY = bytes.fromhex("5a" * 32)
SECRETS = Secrets(123_456_789, "a29ab82edc5fbbc41ec9530f6dac86b1")
STANDING = """
[[charges]]
component = "standing"
kind = "daily"
price_per_day = "0.50"
"""
BLOCKS = FLAT_TARIFF.replace(
    'kind = "flat"\nprice_per_kwh = "0.617"',
    'kind = "blocks"\nblocks = [{ up_to_kwh = "10", price_per_kwh = "0.50" }, { price_per_kwh = "0.80" }]',
)


@dataclass(slots=True)
class Room:
    """`room-1`, whose tokens it issues; amounts in micro-units."""

    ledger: Ledger
    database: Database
    devices: Any
    paid: int = 0

    def pay(self, amount_micros: int) -> None:
        self.paid += 1
        top_up(
            self.ledger, account="room-1-a", amount_micros=amount_micros, channel="kiosk", key=f"paid-{self.paid}",
            now=MOVED_IN,
        )  # fmt: skip

    def issue(
        self, key: str, amount_micros: int | None = None, *, days: float = 0.1, supply: str = "room-1"
    ) -> Token:
        booked = self.booked(key, amount_micros, days=days, supply=supply)
        return token_at(self.ledger, self.devices, position=booked.position, key=KEY)

    def booked(
        self, key: str, amount_micros: int | None = None, *, days: float = 0.1, supply: str = "room-1"
    ) -> Booked:
        return issue_token(
            self.ledger,
            supply=supply,
            amount_micros=amount_micros,
            operator="ana",
            key=key,
            now=MOVED_IN + days * DAY,
        )

    def tell(self, key: str, kind: Any, units: int = 0, *, days: float = 0.1) -> Token:
        booked = tell_meter(
            self.ledger, supply="room-1", kind=kind, units=units, reason="told", operator="ana", key=key,
            now=MOVED_IN + days * DAY,
        )  # fmt: skip
        return token_at(self.ledger, self.devices, position=booked.position, key=KEY)

    @property
    def balance_micros(self) -> int:
        return self.ledger.standing(["room-1-a"]).balance_micros("room-1-a")

    def facts(self, topic: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.database.url("wattledger_finance")) as connection:
            rows = connection.execute(
                "SELECT convert_from(state, 'UTF8') FROM ledger.events WHERE topic = %s ORDER BY notification_id",
                (topic,),
            ).fetchall()
        return [json.loads(row[0]) for row in rows]


def set_up(ledger: Ledger, *, tariff: str, size: TokenSize = "standard", unit_milliwh: int = 100_000) -> None:
    change_site_settings(
        ledger, site="north", reconnection="automatic", warning_balance_micros=0, effective_from=MOVED_IN - DAY,
        now=MOVED_IN,
    )  # fmt: skip
    publish_tariff(ledger, text=tariff, effective_from=MOVED_IN - DAY, note="first", now=MOVED_IN)
    for number in (1, 2):
        equip_room(ledger, number, account=f"room-{number}-a", opening_milliwh=100_000_000, now=MOVED_IN)
    bill_by_token(ledger, supply="room-1", unit_milliwh=unit_milliwh, size=size, operator="ana", now=MOVED_IN)


@pytest.fixture
def tariff() -> str:
    return FLAT_TARIFF


@pytest.fixture
def room(database: Database, tariff: str) -> Iterator[Room]:
    writer = database.url("wattledger_writer")
    with Ledger(url=writer) as ledger, psycopg.connect(writer, autocommit=True) as devices:
        set_up(ledger, tariff=tariff)
        keep_secrets(devices, supply="room-1", secrets=SECRETS, key=KEY)
        yield Room(ledger, database, devices)
