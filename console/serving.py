"""`wattledger serve`: the health and the metrics of the whole, over HTTP. Every request looks at the database."""

import json
import signal
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from socketserver import ThreadingMixIn
from types import FrameType
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from console.errors import ServiceFailed
from console.observation import Observation, observed
from ledger.values.environment import Environment

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where to listen and what to look at."""

    database_url: str = field(repr=False)
    host: str
    port: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "ServeSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        settings = cls(
            database_url=environment.text(
                "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_finance:password@host/database"
            ),
            host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
            port=environment.integer("WATTLEDGER_METRICS_PORT", default=9464, minimum=0, maximum=65_535),
        )
        environment.check()
        return settings


class LedgerMetrics(Collector):
    """What the database says, as Prometheus metrics, at the time of each scrape."""

    def __init__(self, *, database_url: str) -> None:
        self._url = database_url

    def collect(self) -> Iterable[Metric]:
        """Yield every metric; only `wattledger_database_up` when the database does not answer."""
        seen = observed(url=self._url)
        yield _gauge("wattledger_database_up", "1 when the database answers, else 0.", int(seen.is_reachable))
        if seen.is_reachable:
            yield from _metrics_of(seen)


def _metrics_of(seen: Observation) -> Iterable[Metric]:
    yield _gauge("wattledger_ledger_head_position", "Position of the newest event.", seen.head)
    lag = GaugeMetricFamily(
        "wattledger_read_model_lag_events", "Events a read model has yet to take in.", labels=["name"]
    )
    for name, events in seen.lag_events.items():
        lag.add_metric([name], events)
    yield lag
    yield _gauge("wattledger_trial_balance", "Sum of all postings in currency units; must be 0.", seen.trial_balance)
    yield _gauge("wattledger_dead_letters_kept", "Messages kept because they cannot be applied.", seen.dead_letters)
    yield _gauge("wattledger_stray_readings_kept", "Readings of meters nobody may bill there.", seen.stray_readings)
    yield _gauge("wattledger_relay_orders_unconfirmed", "Relay orders without an outcome.", seen.unconfirmed_orders)


def _gauge(name: str, documentation: str, value: object) -> Metric:
    return GaugeMetricFamily(name, documentation, value=float(str(value)))


def health_of(seen: Observation) -> tuple[str, dict[str, object]]:
    """Return the HTTP status line and the JSON body that tell a database's state."""
    if not seen.is_reachable:
        return "503 Service Unavailable", {"status": "down", "reason": seen.reason}
    body = {"status": "up", "head": seen.head, "lag_events": dict(seen.lag_events)}
    return "200 OK", body | {"trial_balance": str(seen.trial_balance)}


def make_application(*, database_url: str) -> "WSGIApplication":
    """Make the WSGI application: /health, /metrics, and 404 for the rest."""
    registry = CollectorRegistry()
    registry.register(LedgerMetrics(database_url=database_url))
    metrics: WSGIApplication = make_wsgi_app(registry)

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start_response)
        if environ["PATH_INFO"] == "/health":
            status, body = health_of(observed(url=database_url))
        else:
            status, body = "404 Not Found", {"status": "not found", "paths": ["/health", "/metrics"]}
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """A scrape every few seconds is no news."""


def main(environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT. Raises InvalidValue for wrong settings, ServiceFailed for a port in use."""
    settings = ServeSettings.from_environment(environ)
    application = make_application(database_url=settings.database_url)
    try:
        server = make_server(settings.host, settings.port, application, _Server, _QuietHandler)
    except OSError as error:
        raise ServiceFailed(f"cannot listen on {settings.host}:{settings.port}: {error}") from error

    def stop(_number: int, _frame: FrameType | None) -> None:
        # shutdown() waits for serve_forever(), which this very thread runs.
        threading.Thread(target=server.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with server:
        server.serve_forever(poll_interval=0.2)
    return 0
