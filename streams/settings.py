"""Settings of the `price` worker, from `WATTLEDGER_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.values.environment import Environment


@dataclass(frozen=True, slots=True)
class Settings:
    """How a worker reaches Kafka and the ledger, and how large its batches may grow."""

    database_url: str
    bootstrap: str
    cluster: str
    group: str
    instance: str
    is_idempotent: bool
    batch_max_messages: int
    batch_wait_s: float
    fetch_wait_s: float
    session_timeout_s: float
    resend_after_s: float
    metrics_host: str
    metrics_port: int


def read_settings(variables: Mapping[str, str]) -> Settings:
    """Read the settings; raises InvalidValue naming every one that is missing or wrong."""
    environment = Environment(variables)
    settings = Settings(
        database_url=environment.text(
            "WATTLEDGER_DATABASE_URL", help_="postgresql://wattledger_writer@host/database"
        ),
        bootstrap=environment.text("WATTLEDGER_KAFKA_BOOTSTRAP", help_="host:port[,host:port]"),
        cluster=environment.text("WATTLEDGER_KAFKA_CLUSTER", default="asked"),
        group=environment.text("WATTLEDGER_KAFKA_GROUP", default="wattledger-price"),
        instance=environment.text("WATTLEDGER_KAFKA_INSTANCE", default="none"),
        is_idempotent=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=False),
        batch_max_messages=environment.integer(
            "WATTLEDGER_BATCH_MAX_MESSAGES", default=50, minimum=1, maximum=10_000
        ),
        batch_wait_s=environment.seconds("WATTLEDGER_BATCH_WAIT_S", default=0.05, minimum=0.001, maximum=10),
        fetch_wait_s=environment.seconds("WATTLEDGER_FETCH_WAIT_S", default=0.1, minimum=0.01, maximum=10),
        session_timeout_s=environment.seconds("WATTLEDGER_SESSION_TIMEOUT_S", default=6, minimum=3, maximum=300),
        resend_after_s=environment.seconds("WATTLEDGER_ORDER_RESEND_S", default=5, minimum=0.2, maximum=3600),
        metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
        metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, maximum=65535),
    )
    environment.check()
    return settings
