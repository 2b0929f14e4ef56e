"""`wattledger serve`: the HTTP API, and the health and the metrics of the whole. Each request asks the database."""

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from console.api.app import make_app
from console.api.services import Services
from console.errors import ServiceFailed
from console.observation import Observation, observed
from console.payments.receiving import Receiver
from console.tokens.secrets_kept import SETTING, sealing_key
from ledger.values.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeSettings:
    """Where to listen and what to look at."""

    database_url: str = field(repr=False)
    host: str
    port: int
    token_key: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "ServeSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        settings = cls(
            database_url=environment.text(
                "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_api:password@host/database"
            ),
            host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
            port=environment.integer("WATTLEDGER_METRICS_PORT", default=9464, minimum=0, maximum=65_535),
            token_key=environment.text(SETTING, default=""),
        )
        environment.check()
        if settings.token_key:
            sealing_key({SETTING: settings.token_key})
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
    yield _gauge("wattledger_ledger_unsealed_events", "Events newer than the last seal.", seen.head - seen.sealed_to)
    yield _gauge(
        "wattledger_ledger_unwitnessed_seals", "Seals not at the witness.", seen.seals - seen.witnessed_seals
    )
    yield _gauge("wattledger_relay_orders_unconfirmed", "Relay orders without an outcome.", seen.unconfirmed_orders)
    open_ = GaugeMetricFamily(
        "wattledger_deliveries_open",
        "Deliveries of payment providers that wait, or are held for a person.",
        labels=["provider", "news", "state"],
    )
    for labels, count in seen.deliveries.items():
        open_.add_metric(labels, count)
    yield open_
    yield _gauge(
        "wattledger_deliveries_overdue_seconds",
        "How long the delivery that is due longest has not been taken up.",
        seen.deliveries_overdue_s,
    )


def _gauge(name: str, documentation: str, value: object) -> Metric:
    return GaugeMetricFamily(name, documentation, value=float(str(value)))


def health_of(seen: Observation) -> tuple[int, dict[str, object]]:
    """Return the HTTP status and the JSON body that tell a database's state."""
    if not seen.is_reachable:
        return 503, {"status": "down", "reason": seen.reason}
    body = {"status": "up", "head": seen.head, "lag_events": dict(seen.lag_events)}
    seals = {"newest": seen.seals, "sealed_to": seen.sealed_to, "at_witness": seen.witnessed_seals}
    return 200, body | {"trial_balance": str(seen.trial_balance), "seals": seals}


def make_served_app(services: Services | None, *, database_url: str) -> FastAPI:
    """Make the API's app with /health and /metrics beside it, which ask for no key."""
    app = make_app(services)
    registry = CollectorRegistry()
    registry.register(LedgerMetrics(database_url=database_url))
    if services is not None:
        services.receiver.count = _counted_in(registry)

    @app.get("/health", include_in_schema=False)
    def health() -> JSONResponse:
        status, body = health_of(observed(url=database_url))
        return JSONResponse(body, status_code=status)

    @app.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return app


def _counted_in(registry: CollectorRegistry) -> Callable[[str, str], None]:
    deliveries = Counter(
        "wattledger_webhooks", "Webhooks by provider and outcome", ["provider", "outcome"], registry=registry
    )
    return lambda provider, outcome: deliveries.labels(provider=provider, outcome=outcome).inc()


def main(environ: Mapping[str, str]) -> int:
    """Serve until SIGTERM or SIGINT. Raises InvalidValue for wrong settings, ServiceFailed for a port in use."""
    settings = ServeSettings.from_environment(environ)
    receiver = Receiver.from_environment(environ)
    listening = _listening(settings.host, settings.port)
    services = Services(url=settings.database_url, receiver=receiver, token_key=settings.token_key)
    try:
        app = make_served_app(services, database_url=settings.database_url)
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=10)
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        services.close()
    return 0


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ServiceFailed(f"cannot listen on {host}:{port}: {error}") from error
    return listening
