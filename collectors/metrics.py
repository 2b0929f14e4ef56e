"""What the collector tells Prometheus, and the small server that tells it."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


class CollectorMetrics:
    """The collector's metrics in a registry of their own, so that two collectors may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.readings = Counter(
            "wattledger_readings", "Readings decoded from meters", ["concentrator"], registry=self.registry
        )
        self.read_failures = Counter(
            "wattledger_read_failures",
            "Reads that brought no reading, by reason",
            ["concentrator", "reason"],
            registry=self.registry,
        )
        self.serial_mismatches = Counter(
            "wattledger_serial_mismatches",
            "Readings of a meter that told another serial than the site file's",
            ["concentrator"],
            registry=self.registry,
        )
        self.clock_drift_seconds = Gauge(
            "wattledger_device_clock_drift_seconds",
            "How far a meter's own clock is ahead of the collector's",
            ["concentrator", "meter"],
            registry=self.registry,
        )
        self.callers_refused = Counter(
            "wattledger_callers_refused",
            "Connections to a terminals' listener that were refused, by reason",
            ["listener", "reason"],
            registry=self.registry,
        )
        self.poll_seconds = Histogram(
            "wattledger_poll_seconds",
            "Duration of one sweep over a concentrator's meters",
            ["concentrator"],
            registry=self.registry,
        )
        # Per device only what an alarm needs: a thousand meters are some thousand series, and no histogram each.
        self.requests = Counter(
            "wattledger_modbus_requests",
            "Modbus requests by meter and what became of them: ok, timeout, bad-checksum ...",
            ["concentrator", "meter", "outcome"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "wattledger_modbus_request_seconds",
            "Duration of one Modbus request on a bus",
            ["concentrator"],
            registry=self.registry,
        )
        self.last_reading = Gauge(
            "wattledger_last_reading_timestamp_seconds",
            "When a meter was last read; its age is time() less this",
            ["concentrator", "meter"],
            registry=self.registry,
        )
        self.sweeps_spooled = Counter(
            "wattledger_sweeps_spooled", "Sweeps kept in the spool", ["concentrator"], registry=self.registry
        )
        self.sweeps_published = Counter(
            "wattledger_sweeps_published", "Sweeps that the broker took, repeats included", registry=self.registry
        )
        self.sweeps_repeated = Counter(
            "wattledger_sweep_repeats",
            "Times that publishing went back to an unacknowledged sweep",
            registry=self.registry,
        )
        self.sweeps_acknowledged = Counter(
            "wattledger_sweeps_acknowledged", "Sweeps that the ledger has committed", registry=self.registry
        )
        self.spool_sweeps = Gauge(
            "wattledger_spool_sweeps", "Sweeps that the ledger has not acknowledged", registry=self.registry
        )
        self.spool_oldest_age_seconds = Gauge(
            "wattledger_spool_oldest_age_seconds", "Age of the oldest sweep not acknowledged", registry=self.registry
        )
        self.spool_bytes = Gauge(
            "wattledger_spool_bytes", "Bytes of the spool's file that hold something", registry=self.registry
        )
        self.spool_thinned = Counter(
            "wattledger_spool_thinned_readings",
            "Readings dropped at the spool's bounds; newer ones of the same meter bill their energy",
            registry=self.registry,
        )
        self.spools_set_aside = Counter(
            "wattledger_spools_set_aside", "Spool files that could not be used any more", registry=self.registry
        )
        self.reloads = Counter(
            "wattledger_site_reloads", "Times that the site file was read again", ["outcome"], registry=self.registry
        )
        self.polling_stopped = Gauge(
            "wattledger_polling_stopped", "1 after the final sweep is in the spool", registry=self.registry
        )
        self.link_up = Gauge("wattledger_broker_connected", "1 while the broker is reached", registry=self.registry)
        self.links = Counter(
            "wattledger_broker_connects", "Times that the broker was connected to", registry=self.registry
        )
        self.relay_orders = Counter(
            "wattledger_relay_orders", "Relay orders by what became of them", ["outcome"], registry=self.registry
        )
        self.unreadable = Counter(
            "wattledger_unreadable_messages",
            "Messages to the edge that could not be read, by topic and reason",
            ["topic", "reason"],
            registry=self.registry,
        )


class MetricsServer:
    """Serves /metrics for Prometheus and /health for people, from a thread of its own."""

    def __init__(
        self, *, host: str, port: int, metrics: CollectorMetrics, health: Callable[[], dict[str, object]]
    ) -> None:
        """Bind at once, so that a port in use shows when the process starts; raises OSError."""
        handler = _handler(metrics, health)
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and give the port back."""
        self._server.shutdown()
        self._server.server_close()


def _handler(metrics: CollectorMetrics, health: Callable[[], dict[str, object]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest(metrics.registry))
            elif self.path == "/health":
                self._answer(200, "application/json", json.dumps(health()).encode())
            else:
                self._answer(404, "text/plain", b"ask for /metrics or /health\n")

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    return Handler
