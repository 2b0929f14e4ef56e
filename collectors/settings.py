"""Settings of the edge's processes, from `WATTLEDGER_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ledger.values.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """How to reach the broker, and when to give it up; durations in seconds."""

    bootstrap: str
    idempotence: bool = False
    request_timeout_s: float = 10.0
    watch_interval_s: float = 1.0
    reconnect_pause_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSettings:
    """How sweeps go out: a bounded window in flight, repeated when the ledger stays silent; seconds."""

    window: int = 64
    ack_timeout_s: float = 5.0
    ack_timeout_max_s: float = 60.0
    link_silence_s: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """All settings of `wattledger collect`; port 0 means that nothing is served."""

    kafka: KafkaSettings
    publish: PublishSettings
    site_file: Path
    site_signed: bool = False
    spool: Path | None
    order_public_key: str
    metrics_host: str
    metrics_port: int
    heartbeat_interval_s: float = 30.0


def read_kafka(environment: Environment) -> KafkaSettings:
    """Read the broker's settings; errors are kept in the environment until its `check()`."""
    return KafkaSettings(
        bootstrap=environment.text("WATTLEDGER_KAFKA_BOOTSTRAP", help_="the broker, host:port[,host:port]"),
        idempotence=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=False),
        request_timeout_s=environment.seconds("WATTLEDGER_KAFKA_TIMEOUT", default=10.0, minimum=1.0, maximum=300.0),
    )


def read_settings(variables: Mapping[str, str]) -> CollectorSettings:
    """Read the collector's settings; raises InvalidValue naming everything that is missing or wrong."""
    environment = Environment(variables)
    spool = environment.text("WATTLEDGER_SPOOL", default="")
    ack_timeout_s = environment.seconds("WATTLEDGER_ACK_TIMEOUT", default=5.0, minimum=0.1, maximum=600.0)
    settings = CollectorSettings(
        kafka=read_kafka(environment),
        publish=PublishSettings(
            window=environment.integer("WATTLEDGER_PUBLISH_WINDOW", default=64, minimum=1, maximum=10_000),
            ack_timeout_s=ack_timeout_s,
            ack_timeout_max_s=max(60.0, ack_timeout_s),
            link_silence_s=environment.seconds("WATTLEDGER_LINK_SILENCE", default=20.0, minimum=1.0, maximum=3600.0),
        ),
        site_file=Path(environment.text("WATTLEDGER_SITE_FILE", help_="the site file, or give --site")),
        site_signed=environment.flag("WATTLEDGER_SITE_SIGNED", default=False),
        spool=Path(spool) if spool else None,
        order_public_key=environment.text(
            "WATTLEDGER_ORDER_PUBLIC_KEY", help_="verifies relay orders: 32 bytes in hex, from `wattledger keys new`"
        ),
        metrics_host=environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1"),
        metrics_port=environment.integer("WATTLEDGER_METRICS_PORT", default=0, maximum=65_535),
        heartbeat_interval_s=environment.seconds("WATTLEDGER_HEARTBEAT", default=30.0, minimum=1.0, maximum=3600.0),
    )
    environment.check()
    return settings
