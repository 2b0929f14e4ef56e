"""PostgreSQL for tests: one server per test process, one migrated template, a fresh clone of it per test.

def test_a_top_up_is_booked_once(database: Database) -> None:
    with psycopg.connect(database.url("wattledger_writer")) as connection: ...
"""

import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from console.embedded.postgres import EmbeddedPostgres

TEMPLATE = "wattledger_template"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """One database of the test's own, with every migration applied."""

    server: EmbeddedPostgres
    name: str

    def url(self, role: str | None = None) -> str:
        """Address for a role, as WATTLEDGER_DATABASE_URL takes it; None is the owner, postgres."""
        return self.server.url(role, database=self.name)


@pytest.fixture(scope="session")
def postgres_server(service_directory: Path) -> Iterator[EmbeddedPostgres]:
    # Without fsync: a test never outlives a power cut, and a commit takes a tenth of the time.
    with EmbeddedPostgres(directory=service_directory / "postgres", is_durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: EmbeddedPostgres) -> str:
    from migrations import apply

    postgres_server.ensure_database(TEMPLATE)
    apply(url=postgres_server.url(database=TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Database]:
    yield from _fresh_database(postgres_server, template=migrated_template)


@pytest.fixture
def another_database(postgres_server: EmbeddedPostgres, migrated_template: str) -> Iterator[Database]:
    """A second one like `database`, for what is taken from one ledger to another."""
    yield from _fresh_database(postgres_server, template=migrated_template)


@pytest.fixture
def empty_database(postgres_server: EmbeddedPostgres) -> Iterator[Database]:
    """A database without any migration, for tests of the migrations themselves."""
    yield from _fresh_database(postgres_server, template="template0")


@pytest.fixture
def own_postgres(service_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, for tests that stall or kill it (see `stall` and `resume`)."""
    directory = service_directory / f"own-postgres-{next(_numbers)}"
    with EmbeddedPostgres(directory=directory, is_durable=False) as server:
        yield server


@pytest.fixture
def own_database(own_postgres: EmbeddedPostgres) -> Database:
    """A migrated database on `own_postgres`."""
    from migrations import apply

    database = Database(server=own_postgres, name="wattledger")
    own_postgres.ensure_database(database.name)
    apply(url=database.url())
    return database


def stall(server: EmbeddedPostgres) -> None:
    """Stop a server and its backends in mid-instruction: connections stay open and nothing answers."""
    for process in _processes(server):
        process.suspend()


def resume(server: EmbeddedPostgres) -> None:
    """Let a stalled server go on as if nothing had happened."""
    for process in _processes(server):
        process.resume()


def _processes(server: EmbeddedPostgres) -> list[psutil.Process]:
    assert server.process is not None
    postmaster = psutil.Process(server.process.pid)
    return [postmaster, *postmaster.children(recursive=True)]


def _fresh_database(server: EmbeddedPostgres, *, template: str) -> Iterator[Database]:
    """A clone of a template. By FILE_COPY: without fsync its checkpoints are free, and it takes a third less."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        _wait_until_unused(connection, template)
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    yield Database(server=server, name=name)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _wait_until_unused(connection: psycopg.Connection[tuple[object, ...]], template: str) -> None:
    """A backend lives a moment longer than its connection, and a template with a backend cannot be cloned."""
    deadline = time.monotonic() + 10
    in_use = "SELECT 1 FROM pg_stat_activity WHERE datname = %s"
    while connection.execute(in_use, [template]).fetchone() and time.monotonic() < deadline:
        time.sleep(0.02)
