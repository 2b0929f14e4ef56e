"""The API over HTTP: the real app, served by the real server, on a real ledger."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import requests

from console.api.keys import create_key
from console.api.services import Services
from console.payments.receiving import Receiver
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account, top_up
from ledger.usecases.sites import change_site_settings
from ledger.usecases.tariffs import publish_tariff
from projections.runner import Runner
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.ledger.rooms import equip_room
from tests.services.postgres import Database
from tests.services.serving import served

JSON = dict[str, Any]
TOKEN_KEY = "5a" * 32


@dataclass(frozen=True, slots=True)
class Api:
    """A served API, its ledger, and a way to ask it as a program would."""

    address: str
    database: Database

    def key(self, *scopes: str, requests_per_minute: int = 100_000) -> str:
        with psycopg.connect(self.database.url("wattledger_writer"), autocommit=True) as connection:
            return create_key(
                connection,
                name="test",
                scopes=scopes,
                requests_per_minute=requests_per_minute,
                operator="op-1",
            )

    def get(self, path: str, key: str, **parameters: Any) -> requests.Response:
        return requests.get(self.address + path, params=parameters, headers=_bearer(key), timeout=10)

    def post(self, path: str, key: str, body: JSON, **headers: str) -> requests.Response:
        return requests.post(self.address + path, json=body, headers=_bearer(key) | _dashed(headers), timeout=10)

    def catch_up(self) -> None:
        """Feed the read models all there is."""
        with psycopg.connect(self.database.url("wattledger_projector"), autocommit=True) as connection:
            runner = Runner()
            runner.begin(connection)
            while runner.turn(connection):
                pass


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def api(database: Database) -> Iterator[Api]:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        _set_up(ledger)
    url = database.url("wattledger_api")
    receiver = Receiver(reference_key="5a" * 32)
    with served(Services(url=url, receiver=receiver, token_key=TOKEN_KEY), url=url) as address:
        served_api = Api(address, database)
        served_api.catch_up()
        yield served_api


def _set_up(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    change_site_settings(
        ledger, site="north", reconnection="confirm", warning_balance_micros=0, effective_from=MOVED_IN, now=now
    )
    publish_tariff(ledger, text=FLAT_TARIFF, effective_from=MOVED_IN, note="first", now=now)
    for number in (1, 2, 3):
        equip_room(ledger, number, account=f"tenant/{number}", opening_milliwh=0, now=now)
        top_up(
            ledger,
            account=f"tenant/{number}",
            amount_micros=number * 10_000_000,
            channel="bank",
            key=f"{number}",
            now=now,
        )
    open_account(ledger, account="spare", site="south", currency="CNY", now=now)
