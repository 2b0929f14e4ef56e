"""A table's owner who is no superuser: neither rewrites events nor takes away what stops them."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection, errors

from tests.integrity.estate import Vault
from tests.services.postgres import Database

OWNER = "wattledger_test_owner"


@pytest.fixture
def owner(database: Database, vault: Vault) -> Iterator[Connection[Any]]:
    """Someone who owns every table of the ledger, and nothing more."""
    vault.seal(3)
    with psycopg.connect(database.url(), autocommit=True) as superuser:
        superuser.execute(f"DROP ROLE IF EXISTS {OWNER}".encode())
        superuser.execute(f"CREATE ROLE {OWNER} LOGIN".encode())
        tables = superuser.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'ledger'").fetchall()
        for (table,) in tables:
            superuser.execute(f"ALTER TABLE ledger.{table} OWNER TO {OWNER}".encode())
        superuser.execute(f"ALTER SCHEMA ledger OWNER TO {OWNER}".encode())
        superuser.execute(f"ALTER FUNCTION ledger.refuse_rewriting() OWNER TO {OWNER}".encode())
        with psycopg.connect(database.url(OWNER), autocommit=True) as connection:
            yield connection
        superuser.execute(f"REASSIGN OWNED BY {OWNER} TO postgres".encode())
        superuser.execute(f"DROP OWNED BY {OWNER}".encode())
        superuser.execute(f"DROP ROLE {OWNER}".encode())


@pytest.mark.parametrize("table", ["events", "seals", "seal_leaves", "sealing_keys"])
@pytest.mark.parametrize("statement", ["DELETE FROM ledger.{}", "TRUNCATE ledger.{} CASCADE"])
def test_the_owner_rewrites_nothing(owner: Connection[Any], table: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege, match="never changes"):
        owner.execute(statement.format(table).encode())


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE ledger.events DISABLE TRIGGER ALL",
        "ALTER TABLE ledger.events DISABLE TRIGGER events_are_immutable",
        "ALTER TABLE ledger.events ENABLE REPLICA TRIGGER events_are_never_truncated",
        "DROP TRIGGER events_are_immutable ON ledger.events",
        "ALTER TABLE ledger.seals DISABLE TRIGGER USER",
        "DROP FUNCTION ledger.refuse_rewriting() CASCADE",
        "DROP TABLE ledger.seal_leaves",
        "DROP TABLE ledger.events CASCADE",
        "ALTER TABLE ledger.events RENAME TO old_events",
        "DROP EVENT TRIGGER ledger_stays_armed",
        "SET session_replication_role = replica",
    ],
)
def test_the_owner_does_not_take_away_what_stops_them(owner: Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.Error):
        owner.execute(statement.encode())
    with pytest.raises(errors.InsufficientPrivilege, match="never changes"):
        owner.execute("DELETE FROM ledger.events")


def test_the_owner_still_changes_the_schema(owner: Connection[Any]) -> None:
    owner.execute("CREATE TABLE ledger.notes (note text)")
    owner.execute("ALTER TABLE ledger.positions ADD COLUMN noted boolean")
