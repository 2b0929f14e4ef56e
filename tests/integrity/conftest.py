"""A ledger of debits, and a sealer that seals it when it is told to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.integrity.witness.file import FileWitness
from tests.integrity.estate import Vault
from tests.services.postgres import Database


@pytest.fixture
def superuser(database: Database) -> Iterator[Connection[Any]]:
    """Whom no trigger stops: the one exception there is."""
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


@pytest.fixture
def vault(database: Database, tmp_path: Path) -> Iterator[Vault]:
    with (
        psycopg.connect(database.url("wattledger_sealer"), autocommit=True) as connection,
        psycopg.connect(database.url("wattledger_writer"), autocommit=True) as writer,
    ):
        yield Vault(connection, writer, FileWitness(tmp_path / "witness" / "seals.jsonl"))
