"""The whole system on one machine: services embedded or outside, schema, topics, and a process per role."""

import sys
import threading
from collections.abc import Callable, Mapping

from console.cluster import cluster_id_at
from console.connection import Running, forget_running
from console.database import migrate_database, role_url
from console.embedded.broker import EmbeddedBroker
from console.embedded.ports import free_port
from console.embedded.postgres import EmbeddedPostgres
from console.errors import ServiceFailed
from console.payments.providers import settings_to_charge, settings_to_hear
from console.roles import ROLES, SERVE, Role
from console.settings import StackSettings
from console.signing_key import kept_signing_key
from console.supervisor import Supervisor
from console.topics import create_topics
from ledger.values.signing import OrderSigner

DATABASE = "wattledger"
_INSTANCE = "WATTLEDGER_KAFKA_INSTANCE"


class Stack:
    """Services first (`start_services`), then roles (`start_role`), then wait for them (`await_healthy`, `watch`).

    A context manager: leaving it stops everything, the last started first. `announce` is told each step in a few
    words.
    """

    def __init__(
        self,
        *,
        settings: StackSettings,
        stop_requested: threading.Event | None = None,
        announce: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.settings = settings
        self.supervisor = Supervisor(
            logs=settings.directory / "logs", stop_requested=stop_requested or threading.Event()
        )
        self._announce = announce
        self._owner_url = settings.database_url or ""
        self.bootstrap = settings.bootstrap or ""
        self.cluster_id = settings.cluster_id or ""
        self.health_ports: dict[str, int] = {}
        self._broker: EmbeddedBroker | None = None
        self._signing_key = ""
        self._sealing_key = ""
        self._reference_key = ""
        # Outside the database's own folder; whoever must not be able to rewrite it names another place.
        self.witness = settings.witness or str(settings.directory / "witness" / "seals.jsonl")
        self._has_left_word = False
        self.public_key_hex = ""  # what collectors verify relay orders with

    def __enter__(self) -> "Stack":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def database_url(self, role: str | None = None) -> str:
        """Return the database's address for a role; None is its owner."""
        if role is None:
            return self._owner_url
        return role_url(self._owner_url, role=role, password=self.settings.passwords.get(role))

    def start_services(self) -> None:
        """Start what is not outside, then bring schema, passwords, topics and keys to where they must be.

        Raises ConsoleError when a service fails, StopRequested when a stop was asked for meanwhile.
        """
        self._signing_key = self.settings.signing_key or kept_signing_key(self.settings.directory / "signing-key")
        self.public_key_hex = OrderSigner(self._signing_key).public_key_hex
        self._sealing_key = self.settings.sealing_key or kept_signing_key(self.settings.directory / "sealing-key")
        self._reference_key = self.settings.reference_key or kept_signing_key(
            self.settings.directory / "reference-key"
        )
        if self.settings.database_url is None:
            self._start_postgres()
        self.supervisor.check()
        if self.settings.bootstrap is None:
            self._start_broker()
        self.supervisor.check()
        self._prepare()

    def start_role(
        self,
        name: str,
        *,
        number: int = 1,
        arguments: tuple[str, ...] = (),
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Start a role as a process of its own, connected as its own database role; `extra` adds to its settings.

        `number`, from 1, tells processes of one role apart (`process_name`): `price` shares its partitions out.
        """
        role = ROLES[name]
        name = process_name(name, number)
        port = (self.settings.serve_port if role is SERVE else None) or free_port()
        self.supervisor.start(
            name,
            [sys.executable, "-P", "-m", "console", role.name, *arguments],
            environment=self.environment_of(role, port=port, number=number) | dict(extra or {}),
            health_port=port if role.serves_health else None,
        )
        if role.serves_health:
            self.health_ports[name] = port
            self._announce(f"{name} started, health and metrics on port {port}")
        else:
            self._announce(f"{name} started")

    def environment_of(self, role: Role, *, port: int, number: int = 1) -> dict[str, str]:
        """Return a role's whole environment: no secret in it but its own."""
        environment = dict(self.settings.inherited)
        environment["WATTLEDGER_METRICS_PORT"] = str(port)
        environment["PYTHONUNBUFFERED"] = "1"  # so that a log has the last words of who dies
        if role.database_role:
            environment["WATTLEDGER_DATABASE_URL"] = self.database_url(role.database_role)
            environment["WATTLEDGER_WITNESS"] = self.witness
        if role.uses_kafka:
            environment["WATTLEDGER_KAFKA_BOOTSTRAP"] = self.bootstrap
            if self.settings.cluster_id:
                # Only when pinned from outside: a worker that asks the broker itself survives an embedded broker that
                # comes back as another cluster.
                environment["WATTLEDGER_KAFKA_CLUSTER"] = self.settings.cluster_id
            environment["WATTLEDGER_KAFKA_IDEMPOTENCE"] = str(self.settings.is_idempotent).lower()
            if number > 1 and _INSTANCE in environment:
                # Two members of one name would put each other out of the group.
                environment[_INSTANCE] = process_name(environment[_INSTANCE], number)
        return environment | self._secrets_of(role)

    def _secrets_of(self, role: Role) -> dict[str, str]:
        environment: dict[str, str] = {}
        if role.signs_orders:
            environment["WATTLEDGER_SIGNING_KEY"] = self._signing_key
        if role.signs_seals:
            environment["WATTLEDGER_SEALING_KEY"] = self._sealing_key
        if role.tells_people:
            environment |= self.settings.notify
        if role.hears_providers:
            environment |= settings_to_hear(self.settings.providers)
        if role.charges_methods:
            environment |= settings_to_charge(self.settings.providers)
        if role.hears_providers or role.charges_methods:
            environment["WATTLEDGER_REFERENCE_KEY"] = self._reference_key
        if role.sells_tokens and self.settings.token_key:
            environment["WATTLEDGER_TOKEN_KEY"] = self.settings.token_key
        if role.verifies_orders:
            environment["WATTLEDGER_ORDER_PUBLIC_KEY"] = self.public_key_hex
        return environment

    def stop_role(self, name: str, *, number: int = 1) -> None:
        """Stop one role in order; the others go on."""
        self.supervisor.stop_one(process_name(name, number))

    def await_healthy(self, *, timeout_s: float = 60.0) -> None:
        """Wait until every role started so far says that it is well; see Supervisor.await_healthy."""
        self.supervisor.await_healthy(timeout_s=timeout_s)

    def watch(self) -> None:
        """Return when a stop is asked for; raise ServiceFailed as soon as any process ends."""
        self.supervisor.watch()

    def stop(self) -> None:
        """Stop everything, the last started first."""
        if self._has_left_word:
            forget_running(self.settings.directory)
        self.supervisor.stop()

    def _start_postgres(self) -> None:
        server = EmbeddedPostgres(directory=self.settings.directory / "postgres", port=self.settings.postgres_port)
        server.start()
        self.supervisor.adopt("postgres", process=server.running(), log=server.log, stop=server.stop)
        server.ensure_database(DATABASE)
        self._owner_url = server.url(database=DATABASE)
        self._announce(f"PostgreSQL started in {server.directory}")

    def restart_broker_empty(self) -> None:
        """Kill the embedded broker and start an empty one at the same address, topics and all; for drills and tests.

        Raises ServiceFailed when the broker is an outside one.
        """
        if self._broker is None:
            raise ServiceFailed("the broker is an outside one; only an embedded one can be restarted empty")
        self._broker.restart_empty()
        self._watch_broker(self._broker)
        create_topics(bootstrap=self.bootstrap, layout=self.settings.topics)

    def _start_broker(self) -> None:
        self._broker = EmbeddedBroker(directory=self.settings.directory / "logs", port=self.settings.broker_port)
        self._broker.start()
        self._watch_broker(self._broker)
        self._announce(f"broker started on {self.bootstrap}")

    def _watch_broker(self, broker: EmbeddedBroker) -> None:
        self.supervisor.adopt("broker", process=broker.running(), log=broker.log, stop=broker.stop)
        self.bootstrap, self.cluster_id = broker.bootstrap, broker.cluster_id

    def _prepare(self) -> None:
        applied = migrate_database(url=self._owner_url, passwords=self.settings.passwords)
        self._announce(f"schema up to date ({len(applied)} migrations applied)")
        self.cluster_id = self.cluster_id or _asked_cluster_id(self.bootstrap)
        created = create_topics(bootstrap=self.bootstrap, layout=self.settings.topics)
        self._announce(f"topics ready ({len(created)} created)")
        if self.settings.database_url is None:
            Running(self._owner_url, self.bootstrap, self.witness).write(self.settings.directory)
            self._has_left_word = True


def process_name(role: str, number: int) -> str:
    """Return what a role's process is called: its log, its health port and its turn go by that name."""
    return role if number == 1 else f"{role}-{number}"


def _asked_cluster_id(bootstrap: str) -> str:
    cluster_id = cluster_id_at(bootstrap)
    if cluster_id is None:
        raise ServiceFailed(f"no Kafka broker answers at {bootstrap}; check WATTLEDGER_KAFKA_BOOTSTRAP")
    return cluster_id
