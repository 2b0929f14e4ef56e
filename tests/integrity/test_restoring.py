"""A backup brought back: really dumped, really restored, refused, and accepted by an operator's word."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from console.embedded.postgres import EmbeddedPostgres
from console.roles import ROLES
from ledger.integrity.keys import PublicKeys, SealingKey
from ledger.integrity.restoring import Accepted, accept_restore
from ledger.integrity.seals import Seal
from ledger.integrity.standing import Diverged, OlderThanWitness
from ledger.integrity.verify import verify
from ledger.integrity.witness.file import FileWitness
from ledger.integrity.witness.records import RestoreAccepted, seals_in_force
from ledger.values.errors import InvalidValue, Refused
from tests.integrity.estate import KEY, Vault
from tests.services.postgres import Database

NOW = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def restored(postgres_server: EmbeddedPostgres, database: Database) -> Iterator[Database]:
    """An empty database for a backup to be restored into."""
    name = f"{database.name}_restored"
    postgres_server.ensure_database(name)
    yield Database(server=postgres_server, name=name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def _dumped(database: Database, file: Path) -> None:
    """As docs/backup.md says."""
    program = str(database.server.program("pg_dump"))
    subprocess.run([program, "-Fc", "-f", str(file), database.url()], check=True, timeout=60)


def _restored(database: Database, file: Path) -> None:
    program = str(database.server.program("pg_restore"))
    how = ["--exit-on-error", "--single-transaction", "-d", database.url()]
    subprocess.run([program, *how, str(file)], check=True, timeout=60)


def _vault_on(database: Database, vault: Vault) -> Vault:
    """The same people on another database: a sealer, a writer, the witness that there was."""
    connection = psycopg.connect(database.url("wattledger_sealer"), autocommit=True)
    writer = psycopg.connect(database.url("wattledger_writer"), autocommit=True)
    return Vault(connection, writer, vault.witness, streams=1_000)


@pytest.fixture
def old(vault: Vault, database: Database, restored: Database, tmp_path: Path) -> Iterator[Vault]:
    """A database restored from a backup of three seals ago."""
    vault.seal(4, 4)
    _dumped(database, tmp_path / "backup")
    vault.seal(4, 4, 4)
    _restored(restored, tmp_path / "backup")
    old = _vault_on(restored, vault)
    old.events = 500
    yield old
    old.connection.close()
    old.writer.close()


def _accept(vault: Vault, **changed: str) -> object:
    said = {"operator": "ines", "reason": "disk failure"} | changed
    return accept_restore(vault.connection, vault.witness, key=SealingKey(KEY), now=NOW, **said)


def test_a_backup_as_new_as_its_witness_goes_on(
    vault: Vault, database: Database, restored: Database, tmp_path: Path
) -> None:
    vault.seal(4, 4)
    _dumped(database, tmp_path / "backup")
    _restored(restored, tmp_path / "backup")
    again = _vault_on(restored, vault)
    again.events = 500
    again.seal(3)
    verified = verify(restored.url("wattledger_auditor"), witness=vault.witness)
    assert (verified.findings.told, verified.events, verified.seals) == ([], 11, 3)
    with pytest.raises(Refused, match="nothing to accept"):
        _accept(again)
    again.connection.close()
    again.writer.close()


def test_a_restored_database_is_protected_as_the_first_was(old: Vault, restored: Database) -> None:
    with psycopg.connect(restored.url()) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("DELETE FROM ledger.events")


def test_an_older_one_is_refused_until_an_operator_accepts_it(old: Vault, restored: Database) -> None:
    with pytest.raises(OlderThanWitness, match=r"has seal 5, the database ends at seal 2.*accept-restore"):
        old.sealer()
    assert _accept(old) == Accepted(after=2, position=8, discarded_seals=3, discarded_to=20)
    old.seal(6)
    verified = verify(restored.url("wattledger_auditor"), witness=old.witness)
    assert (verified.findings.told, verified.events, verified.seals) == ([], 14, 3)
    row = old.connection.execute("SELECT after, discarded_seals, operator, reason FROM ledger.restores").fetchone()
    assert row == (2, 3, "ines", "disk failure")


def test_the_witness_tells_what_was_given_up_and_by_whom(old: Vault) -> None:
    _accept(old)
    old.seal(6)
    records = list(old.witness.records())
    assert [record.number if isinstance(record, Seal) else "restore" for record in records] == [
        1, 2, 3, 4, 5, "restore", 3,
    ]  # fmt: skip
    word = records[5]
    assert isinstance(word, RestoreAccepted)
    assert (word.after, word.operator, word.reason) == (2, "ines", "disk failure")
    key = SealingKey(KEY)
    assert word.is_signed(PublicKeys({key.key_id: key.public_key}))
    assert [(seal.number, seal.events) for seal in seals_in_force(old.witness)] == [(1, 4), (2, 4), (3, 6)]


def test_the_database_that_was_given_up_is_refused_from_then_on(old: Vault, vault: Vault) -> None:
    _accept(old)
    old.seal(6)
    with pytest.raises(Diverged, match="seal 3"):
        vault.sealer()


def test_an_even_older_backup_is_refused_again(
    old: Vault, vault: Vault, empty_database: Database, postgres_server: EmbeddedPostgres
) -> None:
    from migrations import apply

    _accept(old)
    apply(url=empty_database.url())
    oldest = _vault_on(empty_database, vault)
    with pytest.raises(OlderThanWitness, match="has seal 2, the database has no seal"):
        oldest.sealer()
    oldest.connection.close()
    oldest.writer.close()


@pytest.mark.parametrize("missing", ["operator", "reason"])
def test_nobody_accepts_anonymously_or_without_a_reason(old: Vault, missing: str) -> None:
    with pytest.raises(InvalidValue, match="say who accepts this, and why"):
        _accept(old, **{missing: " "})
    with pytest.raises(OlderThanWitness):
        old.sealer()


@pytest.mark.parametrize("role", ["price", "project", "control", "calendar", "seal", "serve"])
def test_no_process_starts_on_an_older_database(old: Vault, restored: Database, role: str) -> None:
    assert isinstance(old.witness, FileWitness)
    environment = {
        "PATH": os.environ["PATH"],
        "WATTLEDGER_DATABASE_URL": restored.url(ROLES[role].database_role),
        "WATTLEDGER_WITNESS": str(old.witness.path),
        "WATTLEDGER_SEALING_KEY": KEY,
        "WATTLEDGER_SIGNING_KEY": KEY,
        "WATTLEDGER_KAFKA_BOOTSTRAP": "127.0.0.1:1",
        "WATTLEDGER_METRICS_PORT": "0",
    }
    outcome = subprocess.run(
        [sys.executable, "-P", "-m", "console", role], check=False, capture_output=True, text=True, env=environment,
        timeout=60,
    )  # fmt: skip
    assert outcome.returncode == 2
    assert "this database is older than its witness" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_no_command_books_on_an_older_database(old: Vault, restored: Database) -> None:
    from console.connection import opened_ledger

    assert isinstance(old.witness, FileWitness)
    environ = {
        "WATTLEDGER_DATABASE_URL": restored.url("wattledger_writer"),
        "WATTLEDGER_WITNESS": str(old.witness.path),
    }
    with pytest.raises(OlderThanWitness), opened_ledger(environ):
        pass
    _accept(old)
    with opened_ledger(environ):
        pass
