"""What the runner and the control tell Prometheus, and the small server that tells it."""

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from socketserver import ThreadingMixIn
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, make_wsgi_app
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from projections.errors import PortTaken

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LATENCY_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3600)
_BATCH_BUCKETS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)


class Waits(Collector):
    """A histogram of how long many waited, told once for all who waited equally long: a reading a time is dear."""

    def __init__(self, name: str, documentation: str) -> None:
        self._name, self._documentation = name, documentation
        # One more than there are bounds: what is beyond the last.
        self._counts = [0] * (len(_LATENCY_BUCKETS_S) + 1)
        self._sum_s = 0.0

    def add(self, wait_s: float, count: int) -> None:
        """Count those who waited so long."""
        self._counts[bisect_left(_LATENCY_BUCKETS_S, wait_s)] += count
        self._sum_s += wait_s * count

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield what is told, as prometheus_client asks for it."""
        bounds = [*(str(float(bound)) for bound in _LATENCY_BUCKETS_S), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        yield HistogramMetricFamily(self._name, self._documentation, buckets, self._sum_s)


class RunnerMetrics:
    """The runner's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.is_active = Gauge(
            "wattledger_projection_is_active", "1 while this runner is the active one", registry=self.registry
        )
        self.events = Counter("wattledger_events_projected", "Events fed to read models", registry=self.registry)
        self.lag_events = Gauge(
            "wattledger_projection_lag_events", "Events not yet projected", ["name"], registry=self.registry
        )
        self.batch_size = Histogram(
            "wattledger_projection_batch_size", "Events per batch", buckets=_BATCH_BUCKETS, registry=self.registry
        )
        self.open_holds = Gauge(
            "wattledger_open_holds", "Held readings whose episode is still open", registry=self.registry
        )
        self.reading_to_balance = Waits(
            "wattledger_reading_to_balance_seconds", "From a reading's publication to the balance that it changed"
        )
        self.registry.register(self.reading_to_balance)


class ControlMetrics:
    """The control's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.is_leader = Gauge("wattledger_control_is_leader", "1 while this control decides", registry=self.registry)
        self.orders = Counter(
            "wattledger_relay_orders_issued", "Relay orders issued", ["action"], registry=self.registry
        )
        self.warnings = Counter("wattledger_low_balance_warnings", "Low balances warned of", registry=self.registry)
        self.put_off = Counter(
            "wattledger_decisions_put_off",
            "Times that no decision was taken, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.undecided = Gauge(
            "wattledger_supplies_undecided",
            "Supplies that no decision is taken on, by what they lack",
            ["reason"],
            registry=self.registry,
        )
        self.clock_skew_seconds = Gauge(
            "wattledger_clock_skew_seconds",
            "This host's clock less PostgreSQL's, by which orders are dated",
            registry=self.registry,
        )
        self.top_up_to_order_seconds = Histogram(
            "wattledger_top_up_to_order_seconds",
            "From a top-up to the order that reconnects",
            buckets=_LATENCY_BUCKETS_S,
            registry=self.registry,
        )


@contextmanager
def served(registry: CollectorRegistry, *, host: str, port: int, process: str) -> Iterator[None]:
    """Serve /metrics and /health from a thread while the block runs; nothing with port 0. Raises PortTaken.

    Health says that the process lives; whether it is active, and how far behind, are metrics.
    """
    if port == 0:
        yield
        return
    try:
        server = make_server(host, port, _application(registry, process), _Server, _QuietHandler)
    except OSError as error:
        raise PortTaken(
            f"metrics cannot be served on {host}:{port} ({error}); set WATTLEDGER_METRICS_PORT"
        ) from error
    with server:
        thread = Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _application(registry: CollectorRegistry, process: str) -> "WSGIApplication":
    metrics = make_wsgi_app(registry)

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            page: Iterable[bytes] = metrics(environ, start_response)
            return page
        if environ["PATH_INFO"] != "/health":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"ask for /metrics or /health\n"]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps({"status": "up", "process": process}).encode()]

    return application


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: a scrape every few seconds is no news."""
