"""The sandbox keeps to what is asked of a provider: once per key, only for whom it knows, told until it is heard."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import msgspec
import pytest
import requests

from console.payments.signatures import check_signed, signed_headers
from console.payments.signed_json import ChargeRequest
from console.sandbox.server import SandboxServer, SandboxSettings, running
from ledger.values.errors import InvalidValue
from tests.payments.shop import SANDBOX_SECRET, SECRET

REQUEST = ChargeRequest(
    key="ap-1/1", charge="ap-1", account="a-1", token="tok_succeeds", amount="20.00", currency="CNY"
)
SETTINGS = {
    "WATTLEDGER_WEBHOOK_SECRETS_SANDBOX": SANDBOX_SECRET,
    "WATTLEDGER_SANDBOX_WEBHOOK_URL": "http://127.0.0.1:9464/v1/webhooks/sandbox",
}


class Ear(ThreadingHTTPServer):
    """Hears webhooks; answers 503 to the first."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, dict[str, str]]] = []
        self.is_done = Event()

        class Handler(BaseHTTPRequestHandler):
            server: Ear

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.server.heard.append((body, {name.lower(): value for name, value in self.headers.items()}))
                self.send_response(503 if len(self.server.heard) == 1 else 202)
                self.end_headers()
                if len(self.server.heard) == 2:
                    self.server.is_done.set()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                pass

        super().__init__(("127.0.0.1", 0), Handler)


@pytest.fixture
def ear() -> Iterator[Ear]:
    with Ear() as ear:
        Thread(target=ear.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield ear
        ear.shutdown()


@pytest.fixture
def sandbox(ear: Ear) -> Iterator[SandboxServer]:
    url = f"http://127.0.0.1:{ear.server_address[1]}/v1/webhooks/sandbox"
    with running(SandboxSettings(port=0, webhook_url=url, secret=SANDBOX_SECRET)) as sandbox:
        yield sandbox


def asks(sandbox: SandboxServer, request: ChargeRequest = REQUEST, secret: str = SANDBOX_SECRET) -> requests.Response:
    body = msgspec.json.encode(request)
    headers = signed_headers(body, secret=secret, now=datetime.now(UTC))
    return requests.post(sandbox.charge_url, data=body, headers=headers, timeout=10)


def test_it_charges_once_per_key_and_tells_until_it_is_heard(sandbox: SandboxServer, ear: Ear) -> None:
    first, again = asks(sandbox), asks(sandbox)
    assert first.json() == again.json()
    assert (first.json()["state"], first.json()["fee"]) == ("succeeded", "0.20")
    assert len(requests.get(sandbox.charge_url, timeout=10).json()) == 1
    assert ear.is_done.wait(10)
    for body, headers in ear.heard:
        check_signed(body, headers, secrets=[SANDBOX_SECRET], now=datetime.now(UTC))
        told = msgspec.json.decode(body)
        assert (told["type"], told["payment"], told["charge"]) == ("succeeded", first.json()["payment"], "ap-1")


def test_it_refuses_forged_requests_and_a_key_that_comes_with_another_charge(sandbox: SandboxServer) -> None:
    assert asks(sandbox, secret=SECRET).status_code == 403
    asks(sandbox)
    other = msgspec.structs.replace(REQUEST, amount="21.00")
    assert (asks(sandbox, other).status_code, len(sandbox.till.charged())) == (422, 1)
    assert requests.post(sandbox.charge_url + "/else", timeout=10).status_code == 404


def test_a_token_that_it_does_not_know_is_declined_for_good(sandbox: SandboxServer) -> None:
    answer = asks(sandbox, msgspec.structs.replace(REQUEST, token="pm_of_somebody")).json()
    assert (answer["state"], answer["why"], answer["may_retry"]) == ("failed", "unknown_token", False)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"WATTLEDGER_SANDBOX_WEBHOOK_URL": "https://shop.example/v1"}, "tells a ledger on this machine"),
        ({"WATTLEDGER_WEBHOOK_SECRETS_SANDBOX": "short"}, "a secret of less than 16 characters"),
        ({"WATTLEDGER_SANDBOX_PORT": "70000"}, "WATTLEDGER_SANDBOX_PORT"),
        ({"WATTLEDGER_SANDBOX_WEBHOOK_URL": ""}, "WATTLEDGER_SANDBOX_WEBHOOK_URL"),
    ],
)
def test_settings_that_cannot_be_are_told(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        SandboxSettings.from_environment(SETTINGS | wrong)
