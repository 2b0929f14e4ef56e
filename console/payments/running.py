"""`wattledger payments`: books what providers told; one active at a time, woken by deliveries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge
from psycopg import Connection

from console.payments.booking import Done, book_next
from console.payments.deliveries import CHANNEL
from ledger.store.application import Ledger
from ledger.values.environment import Environment
from projections.checkpoint import checkpoint
from projections.metrics import served
from projections.process import Work, keep_working, stop_on_signals

LOCK = 0x7061796D  # "paym" as an advisory lock


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsSettings:
    """All settings of `payments`."""

    database_url: str = field(repr=False)
    metrics_host: str
    metrics_port: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "PaymentsSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        settings = cls(
            database_url=environment.text(
                "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_payments:password@host/database"
            ),
            metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
            metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, minimum=0, maximum=65_535),
        )
        environment.check()
        return settings


@dataclass(slots=True, kw_only=True)
class Payments:
    """What the process does in a turn. `count` is told of each delivery that was taken up."""

    ledger: Ledger
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    count: Callable[[Done], None] = lambda _done: None

    def begin(self, connection: Connection[Any]) -> None:
        """Begin where the rows say that it stands."""

    def turn(self, connection: Connection[Any]) -> bool:
        """Do one thing that is due, money that came in first; tell whether there was any."""
        done = book_next(connection, self.ledger, now=self.now())
        if done is None:
            return False
        self.count(done)
        return True


def main(environ: Mapping[str, str]) -> int:
    """Work until SIGTERM or SIGINT; raises InvalidValue for wrong settings."""
    settings = PaymentsSettings.from_environment(environ)
    registry = CollectorRegistry()
    active = Gauge("wattledger_payments_is_active", "1 while this one is the active one", registry=registry)
    taken_up = Counter(
        "wattledger_deliveries",
        "Deliveries taken up, by provider, news and outcome",
        ["provider", "news", "outcome"],
        registry=registry,
    )
    ledger = Ledger(url=settings.database_url, checkpoint=checkpoint)

    def count(done: Done) -> None:
        taken_up.labels(provider=done.delivery.provider, news=done.delivery.news, outcome=done.state).inc()

    payments = Payments(ledger=ledger, count=count)
    try:
        with (
            stop_on_signals() as stop,
            served(registry, host=settings.metrics_host, port=settings.metrics_port, process="payments"),
        ):
            work = replace(work_of(payments), elected=lambda is_active: active.set(int(is_active)))
            keep_working(work, url=settings.database_url, stop=stop)
    finally:
        ledger.close()
    return 0


def work_of(payments: Payments) -> Work:
    """Return the work; it is woken by each delivery, and looks each second for what waited."""
    return Work(
        name="payments",
        lock=LOCK,
        channel=CHANNEL,
        idle_s=1.0,
        begin=payments.begin,
        turn=payments.turn,
        elected=lambda _: None,
        silence_s=120,
    )
