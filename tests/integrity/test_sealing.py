"""Sealing: blocks in order, chained and signed, at the witness before they count."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from ledger.integrity.kept import kept_keys, leaves_of, newest_seal, public_keys, seals_after, witnessed
from ledger.integrity.keys import SealingKey
from ledger.integrity.merkle import leaf_hash, root_of
from ledger.integrity.rows import event_rows
from ledger.integrity.sealing import LedgerDamaged
from ledger.integrity.seals import NO_SEAL, Seal, event_bytes
from ledger.integrity.standing import Diverged, OlderThanWitness
from ledger.integrity.witness.file import FileWitness
from ledger.integrity.witness.records import Record, WitnessFailed, line_of
from tests.integrity.estate import KEY, OTHER_KEY, Vault
from tests.services.postgres import Database

PROTECTED = ("seals", "seal_leaves", "sealing_keys", "restores", "command_keys", "position_resolutions")
REWRITINGS = ("UPDATE ledger.{} SET {} = {}", "DELETE FROM ledger.{}", "TRUNCATE ledger.{} CASCADE")
ROLES = (
    None, "wattledger_writer", "wattledger_control", "wattledger_projector", "wattledger_sealer",
    "wattledger_finance", "wattledger_auditor", "wattledger_api",
)  # fmt: skip


def _chain(vault: Vault) -> list[Seal]:
    return list(seals_after(vault.connection, after=0))


def test_every_event_is_under_one_seal_in_order(vault: Vault) -> None:
    vault.seal(3, 1, 40)
    assert [(seal.number, seal.first_position, seal.last_position) for seal in _chain(vault)] == [
        (1, 1, 3), (2, 4, 4), (3, 5, 44),
    ]  # fmt: skip


def test_a_seal_names_the_one_before_it_and_is_signed(vault: Vault) -> None:
    vault.seal(2, 2)
    first, second = _chain(vault)
    assert (first.previous, second.previous) == (NO_SEAL, first.hash)
    keys = public_keys(vault.connection)
    assert first.is_signed(keys)
    assert second.is_signed(keys)


def test_the_root_is_over_the_canonical_bytes_of_each_event(vault: Vault) -> None:
    vault.seal(5)
    rows = vault.connection.execute(
        "SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events ORDER BY 1"
    ).fetchall()
    expected = [
        event_bytes(position=row[0], stream=UUID(str(row[1])), version=row[2], topic=row[3], state=bytes(row[4]))
        for row in rows
    ]
    prefixed = [b"\x00" + event for event in expected]
    assert list(event_rows(vault.connection, first=1, last=5)) == prefixed
    assert list(event_rows(vault.connection, first=2, last=3)) == prefixed[1:3]
    assert list(event_rows(vault.connection, first=6, last=9)) == []
    leaves = [leaf_hash(row) for row in expected]
    assert _chain(vault)[0].root == root_of(leaves).hex()
    assert leaves_of(vault.connection, 1) == leaves


def test_an_event_waits_for_its_seal_no_longer_than_the_setting(vault: Vault) -> None:
    sealer = vault.sealer()
    vault.append(1)
    assert not sealer.turn(vault.connection)
    vault.now_s += 1.9
    vault.append(1)
    sealer.turn(vault.connection)
    assert (newest_seal(vault.connection), sealer.pending_events) == (None, 2)
    assert sealer.lag_s == pytest.approx(1.9)
    vault.now_s += 0.1
    sealer.turn(vault.connection)
    assert (sealer.pending_events, sealer.lag_s) == (0, 0.0)
    newest = newest_seal(vault.connection)
    assert newest is not None
    assert newest.last_position == 2


def test_a_long_backlog_is_sealed_at_once_in_blocks(vault: Vault) -> None:
    vault.append(25_000)
    sealer = vault.sealer()
    turns = 1
    while sealer.turn(vault.connection):
        turns += 1
    assert turns == 2
    assert [seal.events for seal in _chain(vault)] == [10_000, 10_000]
    vault.settle(sealer)
    assert [seal.events for seal in _chain(vault)] == [10_000, 10_000, 5_000]


def test_nothing_is_sealed_over_a_missing_event(vault: Vault, superuser: Connection[object]) -> None:
    vault.append(9)
    superuser.execute("DELETE FROM ledger.events WHERE notification_id = 4")
    with pytest.raises(LedgerDamaged, match="no event at position 4, and one at 5"):
        vault.settle(vault.sealer())
    superuser.execute("DELETE FROM ledger.events WHERE notification_id > 3")
    with pytest.raises(LedgerDamaged, match="no event at position 4, though the gate gave out 9"):
        vault.settle(vault.sealer())
    assert newest_seal(vault.connection) is None


def test_a_new_key_goes_on_with_the_chain_and_the_old_one_stays_good(vault: Vault) -> None:
    vault.seal(1)
    vault.settle(vault.sealer(OTHER_KEY))
    vault.seal(1)
    first, second = _chain(vault)
    assert (first.key_id, second.key_id) == (SealingKey(KEY).key_id, SealingKey(OTHER_KEY).key_id)
    assert list(kept_keys(vault.connection)) == [first.key_id, second.key_id]
    assert all(seal.is_signed(public_keys(vault.connection)) for seal in (first, second))


class _Unwilling:
    """A witness that can be told to refuse, in front of a real one."""

    name = "a witness"

    def __init__(self, witness: FileWitness) -> None:
        self.real = witness
        self.refuses = False

    def append(self, records: list[Record]) -> None:
        if self.refuses:
            raise WitnessFailed("the witness is away")
        self.real.append(records)

    def newest(self) -> Record | None:
        return self.real.newest()

    def records(self) -> object:
        return self.real.records()


def test_a_seal_counts_only_once_the_witness_has_it(vault: Vault) -> None:
    assert isinstance(vault.witness, FileWitness)
    witness = _Unwilling(vault.witness)
    vault.witness = witness  # type: ignore[assignment]
    sealer = vault.sealer()
    vault.seal(1)
    witness.refuses = True
    vault.seal(1, 1)
    assert (sealer.acknowledged, witnessed(vault.connection), sealer.is_witness_well) == (1, 1, False)
    assert [seal.number for seal in _chain(vault)] == [1, 2, 3]
    witness.refuses = False
    sealer.turn(vault.connection)
    assert (sealer.acknowledged, witnessed(vault.connection), sealer.is_witness_well) == (3, 3, True)
    assert list(witness.real.records()) == _chain(vault)


@pytest.mark.parametrize("kept_bytes", [0, 1, 100, None])
def test_a_restart_completes_what_a_crash_left_at_the_witness(vault: Vault, kept_bytes: int | None) -> None:
    vault.seal(1, 1, 1)
    assert isinstance(vault.witness, FileWitness)
    lines = vault.witness.path.read_bytes().splitlines(keepends=True)
    cut = lines[1][:kept_bytes] if kept_bytes is not None else lines[1][:-1]
    vault.witness.path.write_bytes(lines[0] + cut)
    assert vault.witness.newest() == _chain(vault)[0]
    vault.sealer()
    assert vault.witness.path.read_bytes() == b"".join(lines)
    assert list(vault.witness.records()) == _chain(vault)


def test_a_line_that_is_not_the_next_records_is_never_written_over(vault: Vault, tmp_path: Path) -> None:
    vault.seal(1)
    assert isinstance(vault.witness, FileWitness)
    with vault.witness.path.open("ab") as file:
        file.write(b'{"kind":"something else')
    before = vault.witness.path.read_bytes()
    vault.append(1)
    sealer = vault.sealer()
    vault.settle(sealer)
    assert not sealer.is_witness_well
    assert vault.witness.path.read_bytes() == before


def test_a_sealer_refuses_a_database_older_than_its_witness(vault: Vault, superuser: Connection[object]) -> None:
    vault.seal(4, 4)
    superuser.execute("DELETE FROM ledger.seal_leaves WHERE number = 2")
    superuser.execute("DELETE FROM ledger.seals WHERE number = 2")
    with pytest.raises(OlderThanWitness, match="has seal 2, the database ends at seal 1, position 4"):
        vault.sealer()


def test_a_sealer_refuses_a_chain_that_is_not_the_one_its_witness_saw(
    vault: Vault, superuser: Connection[object]
) -> None:
    vault.seal(4)
    superuser.execute("UPDATE ledger.seals SET sealed_at = sealed_at + interval '1 second'")
    with pytest.raises(Diverged, match="seal 1 over positions 1 to 4"):
        vault.sealer()


def test_two_sealers_never_both_make_the_same_seal(vault: Vault, database: Database) -> None:
    """The advisory lock elects one; should it ever fail, the chain still has one seal of each number."""
    one = vault.sealer()
    with psycopg.connect(database.url("wattledger_sealer"), autocommit=True) as connection:
        other = vault.sealer()
        vault.append(3)
        vault.settle(one)
        other.turn(connection)
        vault.now_s += 5
        with pytest.raises(psycopg.errors.UniqueViolation):
            other.turn(connection)
    assert len(_chain(vault)) == 1


@pytest.mark.parametrize("statement", REWRITINGS)
@pytest.mark.parametrize("table", PROTECTED)
@pytest.mark.parametrize("role", ROLES)
def test_nobody_rewrites_seals_keys_or_an_operators_word(
    database: Database, vault: Vault, role: str | None, table: str, statement: str
) -> None:
    vault.seal(1)
    with psycopg.connect(database.url()) as owner:
        owner.execute("INSERT INTO ledger.command_keys VALUES ('k', '', '{}', 1)")
        owner.execute(
            "INSERT INTO ledger.restores (after, discarded_seals, operator, reason) VALUES (0, 0, 'o', 'r')"
        )
        owner.execute(
            "INSERT INTO ledger.position_resolutions"
            " (cluster, topic, partition, position, digest, reason, resolved_by) VALUES ('c', 't', 0, 1, '', '', '')"
        )
        (column,) = owner.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 2", (f"ledger.{table}",)
        ).fetchone() or ("",)
    with psycopg.connect(database.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(table, column, column).encode())


@pytest.mark.parametrize("role", [role for role in ROLES if role not in (None, "wattledger_sealer")])
def test_only_the_sealer_seals(database: Database, vault: Vault, role: str) -> None:
    vault.seal(1)
    for statement in (
        "INSERT INTO ledger.seals SELECT 2, 2, 2, 1, root, previous, sealed_at, key_id, signature FROM ledger.seals",
        "INSERT INTO ledger.sealing_keys (key_id, public_key, first_seal) VALUES ('k', '', 1)",
        "UPDATE ledger.witnessed SET number = 0",
    ):
        with psycopg.connect(database.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


def test_the_sealer_appends_no_events_and_moves_no_head(database: Database) -> None:
    for statement in (
        "INSERT INTO ledger.events VALUES (gen_random_uuid(), 1, 'account.opened/1', '{}', 1)",
        "UPDATE ledger.gate SET head = 1",
    ):
        with (
            psycopg.connect(database.url("wattledger_sealer")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    ["UPDATE ledger.gate SET head = head - 1", "UPDATE ledger.gate SET control_head = -1", "DELETE FROM ledger.gate",
     "TRUNCATE ledger.gate"],
)  # fmt: skip
@pytest.mark.parametrize("role", [None, "wattledger_writer", "wattledger_control"])
def test_the_gate_never_goes_back(database: Database, vault: Vault, role: str | None, statement: str) -> None:
    vault.append(1)
    with psycopg.connect(database.url(role)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.encode())


def test_a_record_is_always_the_same_line(vault: Vault) -> None:
    vault.seal(1)
    seal = _chain(vault)[0]
    assert line_of(seal) == line_of(_chain(vault)[0])
    assert seal.sealed_at.utcoffset() == timedelta(0)
