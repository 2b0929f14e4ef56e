"""Energy sold as tokens, over HTTP and at the counter."""

from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from console.api.services import Services
from console.cli import make_app
from console.errors import ConsoleError
from console.tokens.secrets_kept import keep_secrets
from ledger.store.application import Ledger
from ledger.usecases.tokens.setting_up import bill_by_token
from ledger.values.errors import LedgerError
from tests.api.conftest import TOKEN_KEY, Api
from tests.services.serving import served
from tests.tokens.conftest import SECRETS
from tests.tokens.meter import TokenMeter

TOKENS = "/v1/supplies/room-2/tokens"


@pytest.fixture
def api(api: Api) -> Api:
    now = datetime.now(UTC)
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        bill_by_token(ledger, supply="room-2", unit_milliwh=100_000, size="standard", operator="ana", now=now)
    with psycopg.connect(api.database.url("wattledger_writer"), autocommit=True) as devices:
        keep_secrets(devices, supply="room-2", secrets=SECRETS, key=bytes.fromhex(TOKEN_KEY))
    api.catch_up()
    return api


def test_a_token_is_sold_once_and_given_again(api: Api) -> None:
    key, body = api.key("kiosk"), {"operator": "ana", "amount": "7.00"}
    sold = api.post(TOKENS, key, body, Idempotency_Key="k1")
    assert sold.status_code == 201, sold.text
    token = sold.json()
    assert (token["kind"], token["units"], token["energy_kwh"]) == ("add", 100, "10.000000")
    assert (token["account"], token["is_repeat"]) == ("tenant/2", False)
    meter = TokenMeter(SECRETS)
    assert meter.enter(token["digits"].replace(" ", "")) == "added"
    assert meter.credit == 100
    again = api.post(TOKENS, key, body, Idempotency_Key="k1").json()
    assert again == token | {"is_repeat": True}
    assert api.get(f"/v1/tokens/{token['position']}", key).json() == again
    api.catch_up()
    left = api.get("/v1/accounts/tenant~2", key).json()["balance"]
    assert float(left) == pytest.approx(20 - float(token["amount"]), abs=1e-9)


def test_what_is_not_sold_says_why(api: Api) -> None:
    key = api.key("kiosk")
    assert api.post(TOKENS, key, {"operator": "ana"}).status_code == 422
    assert api.post(TOKENS, api.key("auditor"), {"operator": "ana"}, Idempotency_Key="k").status_code == 403
    other = api.post(TOKENS, key, {"operator": "ana", "amount": "1.00"}, Idempotency_Key="k1")
    assert other.status_code == 201
    assert api.post(TOKENS, key, {"operator": "ana", "amount": "2.00"}, Idempotency_Key="k1").status_code == 409
    poor = api.post(TOKENS, key, {"operator": "ana", "amount": "900.00"}, Idempotency_Key="k2")
    assert (poor.status_code, "less than 900.00; top it up first" in poor.json()["detail"]) == (409, True)
    by_readings = api.post("/v1/supplies/room-1/tokens", key, {"operator": "ana"}, Idempotency_Key="k3")
    assert (by_readings.status_code, "no secrets are kept" in by_readings.json()["detail"]) == (404, True)
    nothing = api.get("/v1/tokens/1", key)
    assert (nothing.status_code, "no token was issued at position 1" in nothing.json()["detail"]) == (404, True)


def test_without_its_key_the_api_sells_nothing(api: Api) -> None:
    url = api.database.url("wattledger_api")
    with served(Services(url=url), url=url) as address:
        other = Api(address, api.database)
        told = other.post(TOKENS, api.key("kiosk"), {"operator": "ana"}, Idempotency_Key="k1")
    assert (told.status_code, "started without WATTLEDGER_TOKEN_KEY" in told.json()["detail"]) == (409, True)


def test_the_counter_sets_up_sells_prints_again_reads_and_reconciles(api: Api, tmp_path: Path) -> None:
    environment = {
        "WATTLEDGER_DATABASE_URL": api.database.url("wattledger_writer"),
        "WATTLEDGER_TOKEN_KEY": TOKEN_KEY,
        "WATTLEDGER_OPERATOR": "ana",
        "COLUMNS": "200",
    }

    def told(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(make_app(), ["tokens", *arguments], env=environment)
        if code == 2:
            # What `main` prints in red.
            assert isinstance(done.exception, LedgerError | ConsoleError), done.output
            return str(done.exception)
        assert done.exit_code == code, done.output
        return done.output

    secrets = tmp_path / "secrets"
    secrets.write_text(f"{SECRETS.starting_code}\n{SECRETS.key_hex}\n")
    assert "room-3: billed by standard tokens of 50 Wh a unit" in told(
        "set-up", "room-3", "--secrets", str(secrets), "--unit-wh", "50"
    )
    sold = told("issue", "room-3", "--amount", "7.00", "--key", "k1")
    digits = sold.splitlines()[0]
    assert "room-3: 10.000 kWh for 6.9721, account tenant/3 (position" in sold
    assert digits in told("issue", "room-3", "--amount", "7.00", "--key", "k1")
    position = sold.partition("(position ")[2].partition(",")[0]
    assert digits in told("show", position)
    assert f"token-{position}.html" in told("show", position, "--format", "html", "--out", str(tmp_path))
    assert digits in (tmp_path / f"token-{position}.html").read_text()
    meter = TokenMeter(SECRETS)
    assert meter.enter(digits.replace(" ", "")) == "added"
    assert (
        meter.enter(
            told("tell", "room-3", "set", "--units", "9", "--reason", "exchanged").splitlines()[0].replace(" ", "")
        )
        == "set"
    )
    listed = told("list", "room-3")
    assert digits not in listed
    assert "10.000" in listed
    assert "no token was issued for room-1" in told("list", "room-1")
    told("read", "room-3", "9.5")
    environment["WATTLEDGER_DATABASE_URL"] = api.database.url("wattledger_finance")
    assert "0.500" in told("reconcile")
    environment["WATTLEDGER_DATABASE_URL"] = api.database.url("wattledger_writer")
    told("read", "room-3", "10.2", "--at", datetime.now(UTC).isoformat())
    assert "used more than it was sold" in told("reconcile", code=1)
    assert "no kind of token" in told("tell", "room-3", "add", "--reason", "r", code=2)
    assert "cannot be read" in told("set-up", "room-1", "--secrets", str(tmp_path / "none"), code=2)
    environment["WATTLEDGER_TOKEN_KEY"] = "ff" * 32
    assert "does not open the secrets" in told("show", position, code=2)
