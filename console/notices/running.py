"""`wattledger notify`: the teller as a process, one active at a time, woken by the ledger's news."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from prometheus_client import CollectorRegistry, Counter, Gauge

from console.notices.senders import Senders
from console.notices.telling import LOCK, Teller
from ledger.store.gate import CHANNEL
from ledger.values.environment import Environment
from ledger.values.errors import InvalidValue
from projections.metrics import served
from projections.process import Work, keep_working, stop_on_signals


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one local time to another, over midnight where the second is earlier; never where both are the same."""

    begins: time
    ends: time
    zone: str

    def until(self, instant: datetime) -> datetime | None:
        """Return when the quiet hours that an instant lies in end; None where it lies in none."""
        local = instant.astimezone(ZoneInfo(self.zone))
        now = local.time()
        over_midnight = self.ends < self.begins
        is_quiet = now >= self.begins or now < self.ends if over_midnight else self.begins <= now < self.ends
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1 if over_midnight and now >= self.begins else 0)
        return datetime.combine(day, self.ends, tzinfo=ZoneInfo(self.zone)).astimezone(instant.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """All settings of `notify`."""

    database_url: str = field(repr=False)
    quiet: QuietHours
    per_day: int
    metrics_host: str
    metrics_port: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "NotifySettings":
        """Read the settings; raises InvalidValue for what is wrong."""
        environment = Environment(environ)
        url = environment.text(
            "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_notifier:password@host/database"
        )
        hours = environment.text("WATTLEDGER_QUIET_HOURS", default="22:00-07:00")
        zone = environment.text("WATTLEDGER_QUIET_ZONE", default="UTC")
        per_day = environment.integer("WATTLEDGER_NOTICES_PER_DAY", default=20, minimum=1, maximum=10_000)
        host = environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1")
        port = environment.integer("WATTLEDGER_METRICS_PORT", default=0, minimum=0, maximum=65_535)
        environment.check()
        return cls(database_url=url, quiet=_quiet(hours, zone), per_day=per_day, metrics_host=host, metrics_port=port)


def _quiet(hours: str, zone: str) -> QuietHours:
    begins, _, ends = hours.partition("-")
    try:
        ZoneInfo(zone)
        return QuietHours(time.fromisoformat(begins), time.fromisoformat(ends), zone)
    except (ValueError, ZoneInfoNotFoundError):
        raise InvalidValue(
            f"WATTLEDGER_QUIET_HOURS={hours!r} in WATTLEDGER_QUIET_ZONE={zone!r} are none; write 22:00-07:00 and"
            " a zone such as Asia/Shanghai"
        ) from None


def main(environ: Mapping[str, str]) -> int:
    """Tell people until SIGTERM or SIGINT; raises InvalidValue for wrong settings."""
    settings = NotifySettings.from_environment(environ)
    teller = Teller(
        senders=Senders.from_environment(environ),
        quiet_until=settings.quiet.until,
        zone=settings.quiet.zone,
        per_day=settings.per_day,
    )
    work = Work(
        name="notify",
        lock=LOCK,
        channel=CHANNEL,
        idle_s=2.0,
        begin=teller.begin,
        turn=teller.turn,
        elected=lambda _: None,
        # Sending may take a while; meanwhile the connection is idle.
        silence_s=120,
    )
    registry = CollectorRegistry()
    active = Gauge("wattledger_notify_is_active", "1 while this one is the active one", registry=registry)
    outcomes = Counter("wattledger_notices", "Attempts to tell somebody, by outcome", ["outcome"], registry=registry)
    teller.count = lambda outcome: outcomes.labels(outcome=outcome).inc()
    work = replace(work, elected=lambda is_active: active.set(int(is_active)))
    with (
        stop_on_signals() as stop,
        served(registry, host=settings.metrics_host, port=settings.metrics_port, process=work.name),
    ):
        keep_working(work, url=settings.database_url, stop=stop)
    return 0
