"""The stand that benchmarks run on: embedded PostgreSQL (durable) and broker, and the real processes, one by one."""

import os
import secrets
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from console.database import migrate_database
from console.embedded.ports import LOOPBACK, free_port
from console.embedded.postgres import OWNER
from console.settings import StackSettings
from console.stack import DATABASE, Stack, process_name


class Stand:
    """A stack whose roles a benchmark starts and stops; connections are the database owner's."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.connection: Connection[Any] = connected(stack.database_url())

    @property
    def url(self) -> str:
        """The ledger's database, for its owner."""
        return self.stack.database_url()

    def start(self, role: str, **settings: str) -> None:
        """Start a role and wait until it is at work."""
        self.stack.start_role(role, extra=settings)
        self.stack.await_healthy()

    def launch(self, role: str, number: int = 1, /, **settings: str) -> None:
        """Start a role without waiting for it; `number`, from 1, tells several processes of it apart."""
        self.stack.start_role(role, number=number, extra=settings)

    def stop(self, role: str, *, number: int = 1) -> None:
        """Stop a role in order."""
        self.stack.stop_role(role, number=number)

    def kill(self, role: str) -> None:
        """Kill a role as a crash would (SIGKILL)."""
        os.kill(self.stack.supervisor.pid_of(role), signal.SIGKILL)
        self.stack.stop_role(role)

    def head(self) -> int:
        """Return the ledger's newest position."""
        return self.number("SELECT head FROM ledger.gate")

    def number(self, query: str, parameters: tuple[object, ...] = ()) -> int:
        """Return the one number that a query gives, 0 for none."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute(query, parameters).fetchone()
        return 0 if row is None or row[0] is None else int(row[0])

    def metric(self, role: str, name: str, *, number: int = 1) -> float:
        """Return the sum of a process's samples of a metric, whatever their labels."""
        address = f"http://{LOOPBACK}:{self.stack.health_ports[process_name(role, number)]}/metrics"
        with urllib.request.urlopen(address, timeout=10) as answer:
            text = answer.read().decode()
        found = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(value) for value in found)

    def memory_bytes(self, role: str) -> int:
        """Return the resident memory of a role's process."""
        status = Path(f"/proc/{self.stack.supervisor.pid_of(role)}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def fresh_database(self, name: str) -> Connection[Any]:
        """Make another database on the same server, with the same schema, and connect to it."""
        self.connection.execute(f"DROP DATABASE IF EXISTS {name}")
        self.connection.execute(f"CREATE DATABASE {name}")
        url = self.url_of(name)
        migrate_database(url=url, passwords={})
        return connected(url)

    def tcp_login(self) -> dict[str, str]:
        """Return the library's settings to connect over TCP as the owner, with a password made for that."""
        password = secrets.token_hex(16)
        self.connection.execute(f"ALTER ROLE {OWNER} PASSWORD '{password}'")
        return {
            "POSTGRES_HOST": LOOPBACK,
            "POSTGRES_PORT": str(self.stack.settings.postgres_port),
            "POSTGRES_USER": OWNER,
            "POSTGRES_PASSWORD": password,
        }

    def url_of(self, database: str) -> str:
        """Return the address of another database on the same server, for its owner."""
        return self.url.replace(f"/{DATABASE}", f"/{database}", 1)


def connected(url: str) -> Connection[Any]:
    """Connect in autocommit mode."""
    return psycopg.connect(url, autocommit=True)


@contextmanager
def standing() -> Iterator[Stand]:
    """Give a stand with everything it owns in a directory of its own; both are gone when the block ends."""
    directory = Path(tempfile.mkdtemp(prefix="wattledger-bench-"))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WATTLEDGER_")}
    ours = {"WATTLEDGER_DIRECTORY": str(directory), "WATTLEDGER_POSTGRES_PORT": str(free_port())}
    settings = StackSettings.from_environment(clean | ours)
    try:
        with Stack(settings=settings) as stack:
            stack.start_services()
            stand = Stand(stack)
            try:
                yield stand
            finally:
                stand.connection.close()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
