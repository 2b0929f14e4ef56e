"""Settings of the `calendar` process, from `WATTLEDGER_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ledger.values.environment import Environment

_CENTURY_S = 100 * 366 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSettings:
    """How the calendar reaches Kafka and the ledger, and what its clock says.

    `delay` is how long after a local midnight its tick is published, so that a clock slightly ahead of the broker's
    publishes nothing before its time. `clock_offset` is added to this machine's clock: for rehearsals and tests only.
    """

    database_url: str = field(repr=False)
    bootstrap: str
    is_idempotent: bool
    delay: timedelta
    resend_after: timedelta
    poll_s: float
    clock_offset: timedelta
    metrics_host: str
    metrics_port: int


def read_calendar_settings(variables: Mapping[str, str]) -> CalendarSettings:
    """Read the settings; raises InvalidValue naming every one that is missing or wrong."""
    environment = Environment(variables)
    delay_s = environment.seconds("WATTLEDGER_CALENDAR_DELAY_S", default=5, minimum=0, maximum=86_400)
    resend_s = environment.seconds("WATTLEDGER_CALENDAR_RESEND_S", default=20, minimum=0.2, maximum=3_600)
    offset_s = environment.seconds(
        "WATTLEDGER_CALENDAR_CLOCK_OFFSET_S", default=0, minimum=-_CENTURY_S, maximum=_CENTURY_S
    )
    settings = CalendarSettings(
        database_url=environment.text(
            "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_calendar:password@host/database"
        ),
        bootstrap=environment.text("WATTLEDGER_KAFKA_BOOTSTRAP", help_="host:port[,host:port]"),
        is_idempotent=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=False),
        delay=timedelta(seconds=delay_s),
        resend_after=timedelta(seconds=resend_s),
        poll_s=environment.seconds("WATTLEDGER_CALENDAR_POLL_S", default=1, minimum=0.05, maximum=60),
        clock_offset=timedelta(seconds=offset_s),
        metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
        metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, maximum=65535),
    )
    environment.check()
    return settings
