"""The process `seal`: the only sealer at work, its settings and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from ledger.integrity.keys import SealingKey
from ledger.integrity.sealing import Sealer
from ledger.integrity.witness.opening import open_witness
from ledger.values.environment import Environment
from projections.metrics import served
from projections.process import Work, keep_working, stop_on_signals

# "seal" as an advisory lock, one per database.
LOCK = 0x7365616C
# Nobody calls on this channel: the sealer looks at the gate twice a second, however much is written.
_CHANNEL = "ledger_seals"
_IDLE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSettings:
    """All settings of the sealer; port 0 means that no metrics are served."""

    database_url: str = field(repr=False)
    sealing_key: str = field(repr=False)
    witness: str = field(repr=False)
    every_s: float
    metrics_host: str
    metrics_port: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "SealSettings":
        """Read the settings; raises InvalidValue naming everything that is missing or wrong."""
        environment = Environment(environ)
        settings = cls(
            database_url=environment.text(
                "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_sealer:password@host/database"
            ),
            sealing_key=environment.text(
                "WATTLEDGER_SEALING_KEY", help_="signs seals: 32 bytes in hex, from `wattledger keys new-sealing`"
            ),
            witness=environment.text(
                "WATTLEDGER_WITNESS", help_="a file's path, kafka://host:port/topic or https://host/path"
            ),
            every_s=environment.seconds("WATTLEDGER_SEAL_EVERY_S", default=2.0, minimum=0.0, maximum=4.0),
            metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
            metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, maximum=65_535),
        )
        environment.check()
        return settings


class SealMetrics:
    """The sealer's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.is_active = Gauge(
            "wattledger_sealer_is_active", "1 while this sealer is at work", registry=self.registry
        )
        self.seals = Gauge("wattledger_seals", "Number of the newest seal", registry=self.registry)
        self.events = Counter("wattledger_events_sealed", "Events sealed by this process", registry=self.registry)
        self.lag_seconds = Gauge(
            "wattledger_seal_lag_seconds", "How long the oldest unsealed event has waited", registry=self.registry
        )
        self.lag_events = Gauge("wattledger_seal_lag_events", "Events without a seal", registry=self.registry)
        self.witness_lag = Gauge(
            "wattledger_witness_lag_seals", "Seals that the witness does not have yet", registry=self.registry
        )
        self.is_witness_well = Gauge(
            "wattledger_witness_is_well", "1 while the witness takes seals, else 0", registry=self.registry
        )
        self._counted = 0

    def observe(self, sealer: Sealer) -> None:
        """Take note of where a sealer stands."""
        newest = sealer.newest.number if sealer.newest else 0
        self.seals.set(newest)
        self.events.inc(sealer.sealed_events - self._counted)
        self._counted = sealer.sealed_events
        self.lag_seconds.set(sealer.lag_s)
        self.lag_events.set(max(sealer.pending_events, 0))
        self.witness_lag.set(newest - sealer.acknowledged)
        self.is_witness_well.set(int(sealer.is_witness_well))


def work_of(sealer: Sealer, metrics: SealMetrics) -> Work:
    """Return what the process does: the sealer's turns, at a steady pace."""
    return Work(
        name="seal",
        lock=LOCK,
        channel=_CHANNEL,
        idle_s=_IDLE_S,
        begin=sealer.begin,
        turn=sealer.turn,
        elected=lambda is_active: metrics.is_active.set(int(is_active)),
    )


def main(environ: Mapping[str, str]) -> int:
    """Seal until SIGTERM or SIGINT.

    Raises InvalidValue for wrong settings, PortTaken for a port in use, OlderThanWitness and Diverged for a database
    that is not the one its witness saw, LedgerDamaged for a gap.
    """
    settings = SealSettings.from_environment(environ)
    metrics = SealMetrics()
    sealer = Sealer(
        key=SealingKey(settings.sealing_key),
        witness=open_witness(settings.witness),
        every_s=settings.every_s,
        observe=metrics.observe,
    )
    work = work_of(sealer, metrics)
    with (
        stop_on_signals() as stop,
        served(metrics.registry, host=settings.metrics_host, port=settings.metrics_port, process=work.name),
    ):
        keep_working(work, url=settings.database_url, stop=stop)
    return 0
