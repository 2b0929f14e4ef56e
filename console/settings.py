"""Settings of the supervised stack (`wattledger up`), from `WATTLEDGER_*` environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from console.database import passwords_in
from console.payments.providers import is_of_a_provider
from console.topics import EMBEDDED_PARTITIONS, TopicLayout
from ledger.values.environment import Environment

_EMBEDDED_TOPICS = TopicLayout(partitions=EMBEDDED_PARTITIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSettings:
    """What runs embedded and what is outside.

    `database_url` (the owner's) and `bootstrap` name outside services; without them an embedded PostgreSQL, with its
    data under `directory`, and an embedded broker are started. Ports are free ones unless given. `inherited` is the
    environment that every child starts from: ours, less every secret and what the stack sets itself.
    """

    directory: Path
    database_url: str | None = field(default=None, repr=False)
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    bootstrap: str | None = None
    cluster_id: str | None = None
    postgres_port: int | None = None
    broker_port: int | None = None
    serve_port: int | None = None
    topics: TopicLayout = _EMBEDDED_TOPICS
    signing_key: str | None = field(default=None, repr=False)
    sealing_key: str | None = field(default=None, repr=False)
    witness: str | None = field(default=None, repr=False)
    is_idempotent: bool = False
    inherited: Mapping[str, str] = field(default_factory=dict, repr=False)
    # How people are reached, for `notify` alone: the addresses of its channels hold secrets.
    notify: Mapping[str, str] = field(default_factory=dict, repr=False)
    # Payment providers' settings hold secrets, too: for `serve` what verifies, for `payments` what charges.
    providers: Mapping[str, str] = field(default_factory=dict, repr=False)
    reference_key: str | None = field(default=None, repr=False)
    token_key: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "StackSettings":
        """Read the settings; raises InvalidValue naming everything that is wrong."""
        environment = Environment(environ)
        bootstrap = environ.get("WATTLEDGER_KAFKA_BOOTSTRAP") or None
        settings = cls(
            directory=Path(environment.text("WATTLEDGER_DIRECTORY", default=".wattledger")).absolute(),
            database_url=environ.get("WATTLEDGER_DATABASE_URL") or None,
            passwords=passwords_in(environ),
            bootstrap=bootstrap,
            cluster_id=environ.get("WATTLEDGER_KAFKA_CLUSTER") or None,
            postgres_port=_port(environment, "WATTLEDGER_POSTGRES_PORT"),
            broker_port=_port(environment, "WATTLEDGER_BROKER_PORT"),
            serve_port=_port(environment, "WATTLEDGER_SERVE_PORT"),
            topics=_layout(environment, is_embedded=bootstrap is None),
            signing_key=environ.get("WATTLEDGER_SIGNING_KEY") or None,
            sealing_key=environ.get("WATTLEDGER_SEALING_KEY") or None,
            witness=environ.get("WATTLEDGER_WITNESS") or None,
            # The embedded broker does not know idempotent producers; Apache Kafka does.
            is_idempotent=environment.flag("WATTLEDGER_KAFKA_IDEMPOTENCE", default=bootstrap is not None),
            inherited=inheritable(environ),
            notify={name: value for name, value in environ.items() if name.startswith(_NOTIFY)},
            providers={name: value for name, value in environ.items() if is_of_a_provider(name)},
            reference_key=environ.get("WATTLEDGER_REFERENCE_KEY") or None,
            token_key=environ.get("WATTLEDGER_TOKEN_KEY") or None,
        )
        environment.check()
        return settings


_NOTIFY = "WATTLEDGER_NOTIFY_"


def inheritable(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment less every secret and every setting that the stack gives each child itself."""
    own = ("_PASSWORD", "_KEY", "_DATABASE_URL", "_METRICS_PORT", "_WITNESS")
    return {
        name: value
        for name, value in environ.items()
        if not (name.startswith("WATTLEDGER_") and name.endswith(own))
        and not name.startswith(_NOTIFY)
        and not is_of_a_provider(name)
    }


def _port(environment: Environment, name: str) -> int | None:
    return environment.integer(name, default=0, minimum=0, maximum=65_535) or None


def _layout(environment: Environment, *, is_embedded: bool) -> TopicLayout:
    default = EMBEDDED_PARTITIONS if is_embedded else TopicLayout().partitions
    return TopicLayout(
        partitions=environment.integer("WATTLEDGER_PARTITIONS", default=default, minimum=1, maximum=10_000),
        replication=environment.integer("WATTLEDGER_REPLICATION", default=1, minimum=1, maximum=100),
        retention_days=environment.integer("WATTLEDGER_RETENTION_DAYS", default=14, minimum=1, maximum=36_500),
    )
