"""The compose file's services started here: its commands and settings, with names and paths of this machine."""

import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from console.embedded.ports import LOOPBACK, free_port
from console.embedded.postgres import EmbeddedPostgres
from console.supervisor import Supervisor
from ledger.values.signing import OrderSigner, new_signing_key_hex
from tests.console.compose import REPOSITORY, command_of, environment_of, resolved, services, variables_demanded
from tests.services.broker import KafkaBroker, is_apache

PREPARING = ("migrate", "topics")
ROLES = ("price", "project", "control", "calendar", "seal", "serve", "payments", "notify", "simulate", "collect")


class Deployment:
    """What `docker compose --profile demo up` would run of ours, as processes on the loopback interface."""

    def __init__(
        self, *, supervisor: Supervisor, broker: KafkaBroker, server: EmbeddedPostgres, directory: Path
    ) -> None:
        key = new_signing_key_hex()
        self.variables = {name: secrets.token_hex(16) for name in variables_demanded()} | {
            "WATTLEDGER_SIGNING_KEY": key,
            "WATTLEDGER_ORDER_PUBLIC_KEY": OrderSigner(key).public_key_hex,
            "WATTLEDGER_SEALING_KEY": new_signing_key_hex(),
            "WATTLEDGER_REFERENCE_KEY": secrets.token_hex(32),
            "KAFKA_CLUSTER_ID": broker.cluster_id,
        }
        self._supervisor = supervisor
        self._directory = directory
        modbus_port = free_port()
        self._hosts = {"postgres:5432": f"{LOOPBACK}:{server.port}", "kafka:9092": broker.bootstrap}
        site = (REPOSITORY / "deploy/site.example.toml").read_text()
        site = site.replace('host = "simulate"', f'host = "{LOOPBACK}"').replace("5020", str(modbus_port))
        (directory / "site.toml").write_text(site)

    def prepare(self) -> None:
        for service in PREPARING:
            command, environment = self._resolved(service)
            outcome = subprocess.run(
                command, check=False, capture_output=True, text=True, env=environment, timeout=60
            )
            assert outcome.returncode == 0, outcome.stderr

    def start(self) -> None:
        for service in ROLES:
            command, environment = self._resolved(service)
            port = None
            if "WATTLEDGER_METRICS_PORT" in environment:
                port = free_port()  # containers may all use the same one; processes of one machine may not
                environment["WATTLEDGER_METRICS_PORT"] = str(port)
            self._supervisor.start(service, command, environment=environment, health_port=port)
        self._supervisor.await_healthy()

    def url_of(self, service: str) -> str:
        return self._resolved(service)[1]["WATTLEDGER_DATABASE_URL"]

    def _resolved(self, service: str) -> tuple[list[str], dict[str, str]]:
        declared = environment_of(service, variables=self.variables, hosts=self._hosts)
        environment = {name: self._here(value) for name, value in declared.items()}
        if "WATTLEDGER_KAFKA_IDEMPOTENCE" in environment and not is_apache():
            environment["WATTLEDGER_KAFKA_IDEMPOTENCE"] = "false"  # the embedded broker does not know it
        arguments = [self._here(part) for part in command_of(service)]
        return [sys.executable, "-P", "-m", "console", *arguments], {"PATH": os.environ["PATH"], **environment}

    def _here(self, text: str) -> str:
        return resolved(text, {"/etc/wattledger": str(self._directory), "/var/lib/wattledger": str(self._directory)})


@pytest.fixture
def deployment(service_directory: Path, own_broker: KafkaBroker, tmp_path: Path) -> Iterator[Deployment]:
    directory = service_directory / "compose-postgres"
    with (
        EmbeddedPostgres(directory=directory, port=free_port(), is_durable=False) as server,
        Supervisor(logs=tmp_path / "logs", stop_requested=threading.Event()) as supervisor,
    ):
        deployment = Deployment(supervisor=supervisor, broker=own_broker, server=server, directory=tmp_path)
        server.ensure_database("wattledger")
        with psycopg.connect(server.url(), autocommit=True) as connection:
            password = deployment.variables["POSTGRES_PASSWORD"]
            connection.execute(f"ALTER ROLE postgres PASSWORD '{password}'".encode())
        yield deployment


@pytest.mark.kafka
@pytest.mark.slow
def test_every_role_starts_with_exactly_its_settings_and_a_sweep_reaches_the_ledger(deployment: Deployment) -> None:
    deployment.prepare()
    deployment.prepare()
    deployment.start()
    deadline = time.monotonic() + 60
    with psycopg.connect(deployment.url_of("serve"), autocommit=True) as connection:
        while connection.execute("SELECT 1 FROM ledger.sweeps WHERE collector LIKE 'edge-1%'").fetchone() is None:
            assert time.monotonic() < deadline, "no sweep of the simulator reached the ledger"
            time.sleep(0.2)


def test_every_service_of_ours_is_started_by_this_test() -> None:
    assert {name for name, service in services().items() if "build" in service} == {*PREPARING, *ROLES}
