"""`wattledger sandbox-provider`: the sandbox over HTTP. POST /charges, signed; GET /charges shows what it took.

It tells what becomes of charges by webhook, again and again until it is answered 2xx.
"""

import http.client
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from console.payments.port import NotGenuine
from console.payments.signatures import SHORTEST_SECRET, check_signed, signed_headers
from console.payments.signed_json import ChargeRequest, Delivery
from console.sandbox.till import SandboxTill, Taken, as_json
from ledger.values.environment import Environment
from ledger.values.errors import Conflict, InvalidValue
from projections.metrics import served
from projections.process import stop_on_signals

log = structlog.get_logger(__name__)

HOST = "127.0.0.1"
_MOST_BYTES = 65_536
_TIMEOUT_S = 10.0
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """All settings of the sandbox: where it tells, and the secret that both sides sign with."""

    port: int
    webhook_url: str
    secret: str = field(repr=False)
    late_s: float = 30.0
    metrics_port: int = 0

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "SandboxSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        settings = cls(
            port=environment.integer("WATTLEDGER_SANDBOX_PORT", default=9470, minimum=0, maximum=65_535),
            webhook_url=environment.text(
                "WATTLEDGER_SANDBOX_WEBHOOK_URL", help_="http://127.0.0.1:9464/v1/webhooks/sandbox"
            ),
            secret=environment.text("WATTLEDGER_WEBHOOK_SECRETS_SANDBOX", help_="openssl rand -hex 32"),
            late_s=environment.seconds("WATTLEDGER_SANDBOX_LATE_S", default=30.0, minimum=0, maximum=600),
            metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, minimum=0, maximum=65_535),
        )
        environment.check()
        if urlsplit(settings.webhook_url).scheme != "http" or not urlsplit(settings.webhook_url).hostname:
            raise InvalidValue(
                f"WATTLEDGER_SANDBOX_WEBHOOK_URL={settings.webhook_url!r} is no http address; the sandbox tells a"
                " ledger on this machine: http://127.0.0.1:9464/v1/webhooks/sandbox"
            )
        if any(len(secret) < SHORTEST_SECRET for secret in settings.secret.split()):
            raise InvalidValue(
                f"WATTLEDGER_WEBHOOK_SECRETS_SANDBOX has a secret of less than {SHORTEST_SECRET} characters;"
                " make one: openssl rand -hex 32"
            )
        return settings

    @property
    def secrets(self) -> list[str]:
        """The secrets, the one to sign with first."""
        return self.secret.split()


@dataclass(slots=True)
class Teller:
    """Delivers news in the order in which they come, in a thread of its own; signed anew each time."""

    settings: SandboxSettings
    waiting: "queue.Queue[Delivery | None]" = field(default_factory=queue.Queue)
    is_stopping: threading.Event = field(default_factory=threading.Event)

    def tell_of(self, taken: Taken) -> None:
        """Tell what becomes of a charge, in a moment."""
        for news in taken.news:
            for _ in range(taken.conduct.times):
                self.waiting.put(news)

    def run(self) -> None:
        """Deliver until it is stopped."""
        while (news := self.waiting.get()) is not None:
            pause_s = _FIRST_PAUSE_S
            while not self._delivered(news):
                if self.is_stopping.wait(pause_s):
                    return
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    def stop(self) -> None:
        """Stop; what was not delivered is forgotten."""
        self.is_stopping.set()
        self.waiting.put(None)

    def _delivered(self, news: Delivery) -> bool:
        body = msgspec.json.encode(news)
        headers = signed_headers(body, secret=self.settings.secrets[0], now=datetime.now(UTC))
        address = urlsplit(self.settings.webhook_url)
        connection = http.client.HTTPConnection(address.hostname or HOST, address.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", address.path, body, headers | {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            log.warning("a webhook was not taken", news=news.id, error=str(error))
            return False
        finally:
            connection.close()
        if status >= HTTPStatus.BAD_REQUEST:
            log.warning("a webhook was not taken", news=news.id, status=status)
        return status < HTTPStatus.BAD_REQUEST


class SandboxServer(ThreadingHTTPServer):
    """The sandbox at a port of this machine; port 0 takes a free one."""

    daemon_threads = True

    def __init__(self, settings: SandboxSettings) -> None:
        super().__init__((HOST, settings.port), _Handler)
        self.settings = settings
        self.till = SandboxTill()
        self.teller = Teller(settings)

    @property
    def charge_url(self) -> str:
        """Where it is asked for charges."""
        return f"http://{HOST}:{self.server_address[1]}/charges"


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        """Show what was taken."""
        if self.path == "/charges":
            self._answer(HTTPStatus.OK, as_json(self.server.till.charged()))
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}; ask /charges")

    def do_POST(self) -> None:
        """Take a charge."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/charges" or not length.isdigit() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._refuse(HTTPStatus.NOT_FOUND, "post a charge to /charges, with its Content-Length")
        else:
            self._charge(self.rfile.read(int(length)))

    def _charge(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            check_signed(body, headers, secrets=self.server.settings.secrets, now=datetime.now(UTC))
            taken, is_new = self.server.till.take(msgspec.json.decode(body, type=ChargeRequest))
        except NotGenuine as error:
            self._refuse(HTTPStatus.FORBIDDEN, str(error))
        except (Conflict, InvalidValue, msgspec.DecodeError) as error:
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        else:
            self._take(taken, is_new=is_new)

    def _take(self, taken: Taken, *, is_new: bool) -> None:
        if is_new:
            self.server.teller.tell_of(taken)
        if is_new and taken.conduct.answer == "none":
            self.close_connection = True
            return
        if is_new and taken.conduct.answer == "late":
            time.sleep(self.server.settings.late_s)
        self._answer(HTTPStatus.OK, msgspec.json.encode(taken.answer))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._answer(status, msgspec.json.encode({"detail": why}))

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing per request: its bodies hold tokens."""


@contextmanager
def running(settings: SandboxSettings) -> Iterator[SandboxServer]:
    """Run the sandbox in threads while the block runs."""
    server = SandboxServer(settings)
    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True),
        threading.Thread(target=server.teller.run, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield server
    finally:
        server.teller.stop()
        server.shutdown()
        server.server_close()


def main(environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT; raises InvalidValue for wrong settings."""
    settings = SandboxSettings.from_environment(environ)
    with (
        stop_on_signals() as stop,
        running(settings) as server,
        served(CollectorRegistry(), host=HOST, port=settings.metrics_port, process="sandbox-provider"),
    ):
        log.info("sandbox provider", charges=server.charge_url, tells=settings.webhook_url)
        stop.wait()
    return 0
