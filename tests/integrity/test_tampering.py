"""An attacker with every right there is: what they change in a ledger of 100,000 events is found and named.

PostgreSQL is real, the attacker its superuser with triggers disabled; in the end they hold the sealing key as well.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.integrity.findings import Finding
from ledger.integrity.kept import newest_seal, seal_numbered, seals_after
from ledger.integrity.keys import SealingKey
from ledger.integrity.sealing import sealed_next
from ledger.integrity.verify import Verified, verify
from ledger.integrity.witness.file import FileWitness
from tests.integrity.estate import KEY, OTHER_KEY, Vault
from tests.services.postgres import Database, _fresh_database

EVENTS = 100_000
BLOCK = 4_000
VICTIM = 51_234


@pytest.fixture(scope="module")
def sealed_template(
    postgres_server: Any, migrated_template: str, tmp_path_factory: Any
) -> Iterator[tuple[Database, Path]]:
    """A sealed ledger of 100,000 events, made once; each test attacks a clone of it."""
    folder = tmp_path_factory.mktemp("witness")
    for database in _fresh_database(postgres_server, template=migrated_template):
        with (
            psycopg.connect(database.url("wattledger_sealer"), autocommit=True) as connection,
            psycopg.connect(database.url("wattledger_writer"), autocommit=True) as writer,
        ):
            vault = Vault(connection, writer, FileWitness(folder / "seals.jsonl"), streams=500)
            vault.seal(*[BLOCK] * (EVENTS // BLOCK))
        yield database, folder / "seals.jsonl"


@pytest.fixture
def attacked(sealed_template: tuple[Database, Path], tmp_path: Path) -> Iterator[Database]:
    template, witness = sealed_template
    shutil.copy(witness, tmp_path / "seals.jsonl")
    yield from _fresh_database(template.server, template=template.name)


@pytest.fixture
def attacker(attacked: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(attacked.url(), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


@pytest.fixture
def witness(tmp_path: Path, attacked: Database) -> FileWitness:
    return FileWitness(tmp_path / "seals.jsonl")


def _verified(database: Database, witness: FileWitness | None = None) -> Verified:
    return verify(database.url("wattledger_auditor"), witness=witness)


def _first(verified: Verified) -> Finding:
    first = verified.findings.first
    assert first is not None
    return first


def test_an_untouched_ledger_is_whole(attacked: Database, witness: FileWitness) -> None:
    verified = _verified(attacked, witness)
    assert verified.findings.told == []
    assert (verified.events, verified.seals, verified.unsealed, verified.unwitnessed_seals) == (EVENTS, 25, 0, 0)


def test_one_byte_of_an_event_is_named(attacked: Database, attacker: Connection[Any]) -> None:
    attacker.execute(
        "UPDATE ledger.events SET state = set_byte(state, 40, get_byte(state, 40) # 1) WHERE notification_id = %s",
        (VICTIM,),
    )
    verified = _verified(attacked)
    first = _first(verified)
    assert (first.check, first.where, verified.findings.affected) == ("events", f"position {VICTIM}", 1)
    assert first.expected.startswith("the event of hash ")
    assert first.found.startswith("an event of hash ")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("topic", "'meter.usage-debited/2'"),
        ("originator_id", "gen_random_uuid()"),
        ("originator_version", "originator_version + 10000"),
    ],
)
def test_so_is_any_other_column_of_it(attacked: Database, attacker: Connection[Any], column: str, value: str) -> None:
    attacker.execute(f"UPDATE ledger.events SET {column} = {value} WHERE notification_id = {VICTIM}".encode())
    assert _first(_verified(attacked)).where == f"position {VICTIM}"


@pytest.mark.parametrize(
    "change",
    [
        "root = set_byte(root, 0, get_byte(root, 0) # 1)",
        "sealed_at = sealed_at + interval '1 microsecond'",
        "signature = set_byte(signature, 9, get_byte(signature, 9) # 128)",
        "previous = set_byte(previous, 0, get_byte(previous, 0) # 1)",
        "key_id = 'another'",
    ],
)
def test_a_changed_seal_is_named(attacked: Database, attacker: Connection[Any], change: str) -> None:
    attacker.execute(f"UPDATE ledger.seals SET {change} WHERE number = 3".encode())
    verified = _verified(attacked)
    first = _first(verified)
    assert (first.check, first.where) == ("seals", "positions 8001 to 12000")
    assert "seal 3" in first.expected
    assert BLOCK <= verified.findings.affected <= 2 * BLOCK


def test_a_seal_taken_away_is_named(attacked: Database, attacker: Connection[Any]) -> None:
    attacker.execute("DELETE FROM ledger.seals WHERE number = 3")
    first = _first(_verified(attacked))
    assert (first.check, first.first, first.expected) == ("seals", 8_001, "a seal that begins at position 8001")


def test_a_deleted_event_is_named(attacked: Database, attacker: Connection[Any]) -> None:
    attacker.execute("DELETE FROM ledger.events WHERE notification_id = %s", (VICTIM,))
    verified = _verified(attacked)
    first = _first(verified)
    assert (first.check, first.where, first.found) == ("events", f"position {VICTIM}", "no event")
    assert verified.findings.by_check["events"] == 1
    assert verified.findings.by_check["versions"] == 1


def test_two_swapped_events_are_named(attacked: Database, attacker: Connection[Any]) -> None:
    other = VICTIM + 3
    for before, after in ((VICTIM, -1), (other, VICTIM), (-1, other)):
        attacker.execute("UPDATE ledger.events SET notification_id = %s WHERE notification_id = %s", (after, before))
    verified = _verified(attacked)
    assert _first(verified).where == f"position {VICTIM}"
    assert verified.findings.by_check["events"] == 2


def test_hashes_changed_with_the_event_name_its_block(attacked: Database, attacker: Connection[Any]) -> None:
    """The hashes beside a seal need no trust: they must lead to its root."""
    attacker.execute("DELETE FROM ledger.seal_leaves WHERE number = 13")
    attacker.execute("UPDATE ledger.events SET topic = 'x' WHERE notification_id = %s", (VICTIM,))
    first = _first(_verified(attacked))
    assert (first.check, first.where) == ("seals", "positions 48001 to 52000")


def _cut(attacker: Connection[Any], *, seals: int) -> int:
    """Cut the newest seals off with all their events, and set the gate back; return the last position left."""
    newest = newest_seal(attacker)
    assert newest is not None
    kept = seal_numbered(attacker, newest.number - seals)
    assert kept is not None
    attacker.execute("DELETE FROM ledger.seal_leaves WHERE number > %s", (kept.number,))
    attacker.execute("DELETE FROM ledger.seals WHERE number > %s", (kept.number,))
    attacker.execute("DELETE FROM ledger.events WHERE notification_id > %s", (kept.last_position,))
    attacker.execute("UPDATE ledger.gate SET head = %s", (kept.last_position,))
    return kept.last_position


def test_a_tail_cut_off_with_its_seals_is_caught_by_the_witness_alone(
    attacked: Database, attacker: Connection[Any], witness: FileWitness
) -> None:
    last = _cut(attacker, seals=2)
    assert _verified(attacked).findings.told == []
    verified = _verified(attacked, witness)
    first = _first(verified)
    assert (first.check, first.where) == ("witness", f"positions {last + 1} to {EVENTS}")
    assert (first.expected, verified.findings.affected) == ("seals 24 to 25, as the witness has them", 2 * BLOCK)


def test_a_tail_cut_off_without_its_seals_is_caught_without_a_witness(
    attacked: Database, attacker: Connection[Any]
) -> None:
    attacker.execute("DELETE FROM ledger.events WHERE notification_id > 99000")
    attacker.execute("UPDATE ledger.gate SET head = 99000")
    verified = _verified(attacked)
    first = _first(verified)
    assert (first.check, first.first, first.found) == ("events", 99_001, "no event")
    assert verified.findings.affected == 1_000


def test_a_tail_rewritten_and_signed_again_is_caught_by_the_witness_alone(
    attacked: Database, attacker: Connection[Any], witness: FileWitness
) -> None:
    """Whoever holds every role and the sealing key can make a ledger that agrees with itself."""
    events = attacker.execute("SELECT * FROM ledger.events WHERE notification_id > 92000 ORDER BY 5").fetchall()
    seals = list(seals_after(attacker, after=23))
    _cut(attacker, seals=2)
    for stream, version, topic, state, position in events:
        doctored = bytes(state).replace(b'"quality":"measured"', b'"quality":"MEASURED"')
        attacker.execute(
            "INSERT INTO ledger.events VALUES (%s, %s, %s, %s, %s)", (stream, version, topic, doctored, position)
        )
    attacker.execute("UPDATE ledger.gate SET head = %s", (EVENTS,))
    newest = newest_seal(attacker)
    for seal in seals:
        newest = sealed_next(attacker, SealingKey(KEY), newest=newest, upto=seal.last_position)
    assert _verified(attacked).findings.told == []
    verified = _verified(attacked, witness)
    first = _first(verified)
    assert (first.check, first.where) == ("witness", f"positions 92001 to {92_000 + BLOCK}")
    assert f"seal 24 of hash {seals[0].hash}" in first.expected
    assert verified.findings.affected == 2 * BLOCK


def test_seals_of_a_key_that_is_not_trusted_are_named(attacked: Database) -> None:
    """The database's own list of keys could have been added to: an auditor brings theirs."""
    from ledger.integrity.keys import PublicKeys

    trusted = SealingKey(OTHER_KEY)
    keys = PublicKeys({trusted.key_id: trusted.public_key})
    first = _first(verify(attacked.url("wattledger_auditor"), keys=keys))
    assert (first.check, first.first, first.expected) == ("seals", 1, "seal 1 signed by a known key")


def test_only_what_was_asked_for_is_verified(
    attacked: Database, attacker: Connection[Any], witness: FileWitness
) -> None:
    attacker.execute("UPDATE ledger.events SET topic = 'x' WHERE notification_id = %s", (VICTIM,))
    url = attacked.url("wattledger_auditor")
    for first, last in ((1, 48_000), (52_001, None), (60_000, 61_000)):
        assert verify(url, first=first, last=last, witness=witness).findings.told == []
    around = verify(url, first=VICTIM - 5, last=VICTIM + 5, witness=witness)
    assert (around.first, around.last, around.events) == (48_001, 52_000, BLOCK)
    assert _first(around).first == VICTIM
