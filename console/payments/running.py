"""`wattledger payments`: books what providers told, asks for charges, finds which are due; one active at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge
from psycopg import Connection

from console.payments import charges
from console.payments.booking import Done, book_next
from console.payments.charging import Charging
from console.payments.deliveries import CHANNEL
from console.payments.port import Charges
from console.payments.providers import charges_in
from console.payments.rhythms import Rhythms
from ledger.store.application import Ledger
from ledger.values.environment import Environment
from ledger.values.outside import reference_hash
from projections.checkpoint import checkpoint
from projections.metrics import served
from projections.pace import Pace
from projections.process import Work, keep_working, stop_on_signals

LOCK = 0x7061796D  # "paym" as an advisory lock


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsSettings:
    """All settings of `payments`."""

    database_url: str = field(repr=False)
    providers: Mapping[str, Charges] = field(repr=False)
    reference_key: str = field(repr=False)
    look_every_s: float
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
            providers=charges_in(environ),
            reference_key=environment.text("WATTLEDGER_REFERENCE_KEY", default=""),
            look_every_s=environment.seconds("WATTLEDGER_AUTOPAY_EVERY_S", default=1.0, minimum=0.1, maximum=3_600),
            metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
            metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, minimum=0, maximum=65_535),
        )
        environment.check()
        if settings.providers:
            reference_hash("", key_hex=settings.reference_key)
        return settings


@dataclass(slots=True, kw_only=True)
class Payments:
    """What the process does in a turn. `count` and `count_charge` are told what was taken up."""

    ledger: Ledger
    charging: Charging
    look: Pace
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    count: Callable[[Done], None] = lambda _: None
    count_charge: Callable[[str], None] = lambda _: None
    rhythms: Rhythms = field(init=False)

    def __post_init__(self) -> None:
        self.rhythms = Rhythms(self.ledger)

    def begin(self, connection: Connection[Any]) -> None:
        """Begin where the rows say that it stands; ask again for what was being asked when a process died."""
        charges.recover(connection)
        self.rhythms = Rhythms(self.ledger)

    def turn(self, connection: Connection[Any]) -> bool:
        """Do one thing that is due, money that came in first, then what was promised; tell whether there was any."""
        now = self.now()
        done = book_next(connection, self.ledger, now=now)
        if done is not None:
            self.count(done)
            return True
        outcome = self.charging.ask_next(connection, now=now)
        if outcome:
            self.count_charge(outcome)
            return True
        if not self.look.is_due():
            return False
        for _ in range(charges.expire(connection, now=now)):
            self.count_charge("unknown")
        return self.rhythms.make_due(connection, now=now) > 0


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
    asked = Counter("wattledger_charges", "Charges asked for, by outcome", ["outcome"], registry=registry)
    ledger = Ledger(url=settings.database_url, checkpoint=checkpoint)

    def count(done: Done) -> None:
        taken_up.labels(provider=done.delivery.provider, news=done.delivery.news, outcome=done.state).inc()

    payments = Payments(
        ledger=ledger,
        charging=Charging(ledger=ledger, providers=settings.providers, reference_key=settings.reference_key),
        look=Pace(settings.look_every_s),
        count=count,
        count_charge=lambda outcome: asked.labels(outcome=outcome).inc(),
    )
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
    """Return the work; it is woken by each delivery, and looks each second for what waited.

    While a provider is asked its connection is idle, for up to half a minute.
    """
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
