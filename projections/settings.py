"""Settings of `wattledger project` and `wattledger control`, from `WATTLEDGER_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ledger.values.environment import Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """All settings of the projections' runner; port 0 means that no metrics are served."""

    database_url: str = field(repr=False)
    metrics_host: str
    metrics_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """All settings of the relay control; an order may be carried out until `order_lifetime` after it is signed."""

    database_url: str = field(repr=False)
    signing_key: str = field(repr=False)
    order_lifetime: timedelta
    metrics_host: str
    metrics_port: int


def read_runner_settings(variables: Mapping[str, str]) -> RunnerSettings:
    """Read the runner's settings; raises InvalidValue naming everything that is missing or wrong."""
    environment = Environment(variables)
    settings = RunnerSettings(
        database_url=_database_url(environment, role="wattledger_projector"),
        metrics_host=_metrics_host(environment),
        metrics_port=_metrics_port(environment),
    )
    environment.check()
    return settings


def read_control_settings(variables: Mapping[str, str]) -> ControlSettings:
    """Read the control's settings; raises InvalidValue naming everything that is missing or wrong."""
    environment = Environment(variables)
    lifetime_s = environment.seconds("WATTLEDGER_ORDER_LIFETIME_S", default=120.0, minimum=1.0, maximum=86_400.0)
    settings = ControlSettings(
        database_url=_database_url(environment, role="wattledger_control"),
        signing_key=environment.text(
            "WATTLEDGER_SIGNING_KEY", help_="signs relay orders: 32 bytes in hex, from `wattledger keys new`"
        ),
        order_lifetime=timedelta(seconds=lifetime_s),
        metrics_host=_metrics_host(environment),
        metrics_port=_metrics_port(environment),
    )
    environment.check()
    return settings


def _database_url(environment: Environment, *, role: str) -> str:
    return environment.text("WATTLEDGER_DATABASE_URL", help_=f"postgresql://{role}:password@host/database")


def _metrics_host(environment: Environment) -> str:
    return environment.text("WATTLEDGER_METRICS_HOST", default="127.0.0.1")


def _metrics_port(environment: Environment) -> int:
    return environment.integer("WATTLEDGER_METRICS_PORT", default=0, maximum=65_535)
