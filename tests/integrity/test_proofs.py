"""One event's proof: checked without the database, and good for nothing else."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from psycopg import Connection

from ledger.integrity.keys import SealingKey, public_keys_from_text
from ledger.integrity.proof import Proof, ProofFails, check_proof, proof_from_text, proof_text
from ledger.integrity.proving import prove
from ledger.values.errors import InvalidValue, NotFound, Refused
from tests.integrity.estate import KEY, OTHER_KEY, Vault, stream_of

PUBLIC = SealingKey(KEY).public_key.hex()
KEYS = public_keys_from_text(PUBLIC)


@pytest.fixture
def proof(vault: Vault) -> Proof:
    vault.seal(5, 13)
    return prove(vault.connection, 9)


def test_every_event_can_be_proved(vault: Vault) -> None:
    vault.seal(1, 2, 7)
    for position in range(1, 11):
        check_proof(prove(vault.connection, position), keys=KEYS)


def test_a_proof_survives_its_file(proof: Proof) -> None:
    assert proof_from_text(proof_text(proof)) == proof


def test_a_proof_shows_the_event_itself(proof: Proof) -> None:
    assert (proof.position, proof.stream, proof.version) == (9, stream_of(1), 2)
    assert proof.fact["supply"] == "room-1"


OTHERS = [
    ({"position": 10}, "the event leads to root"),
    ({"version": 3}, "the event leads to root"),
    ({"topic": "meter.usage-debited/2"}, "the event leads to root"),
    ({"stream": stream_of(2)}, "the event leads to root"),
    ({"state": base64.b64encode(b"{}").decode()}, "the event leads to root"),
    ({"state": "no base64"}, "cannot be read"),
    ({"path": []}, "the event leads to no root"),
    ({"path": ["no hex"]}, "cannot be read"),
    ({"position": 5}, "position 5 is not under seal 2, which covers 6 to 18"),
    ({"version": -1}, "no event can be there"),
]


@pytest.mark.parametrize(("change", "told"), OTHERS)
def test_a_proof_of_anything_else_does_not_hold(proof: Proof, change: dict[str, object], told: str) -> None:
    with pytest.raises(ProofFails, match=told):
        check_proof(msgspec.structs.replace(proof, **change), keys=KEYS)


@pytest.mark.parametrize("change", [{"root": "00" * 32}, {"number": 3}, {"last_position": 99}, {"signature": "xx"}])
def test_a_proof_under_a_changed_seal_does_not_hold(proof: Proof, change: dict[str, object]) -> None:
    seal = msgspec.structs.replace(proof.seal, **change)
    with pytest.raises(ProofFails, match="the signature of seal"):
        check_proof(msgspec.structs.replace(proof, seal=seal), keys=KEYS)


def test_a_proof_under_another_key_does_not_hold(proof: Proof) -> None:
    with pytest.raises(ProofFails, match="none of those given"):
        check_proof(proof, keys=public_keys_from_text(SealingKey(OTHER_KEY).public_key.hex()))


def test_what_is_not_there_or_not_sealed_is_not_proved(vault: Vault) -> None:
    vault.seal(3)
    vault.append(1)
    with pytest.raises(NotFound, match="no event at position 5"):
        prove(vault.connection, 5)
    with pytest.raises(Refused, match="position 4 is not sealed yet"):
        prove(vault.connection, 4)


def test_an_event_that_was_changed_is_not_proved(vault: Vault, superuser: Connection[object]) -> None:
    vault.seal(3)
    superuser.execute("UPDATE ledger.events SET topic = 'x' WHERE notification_id = 2")
    with pytest.raises(ProofFails):
        prove(vault.connection, 2)


def test_hashes_that_are_gone_are_made_again(vault: Vault, superuser: Connection[object]) -> None:
    vault.seal(9)
    superuser.execute("DELETE FROM ledger.seal_leaves")
    check_proof(prove(vault.connection, 7), keys=KEYS)


@pytest.mark.parametrize("text", ["", "{}", "not json", '{"format": "x"}'])
def test_what_is_no_proof_is_told_as_such(text: str) -> None:
    with pytest.raises(InvalidValue, match="no proof"):
        proof_from_text(text)


@pytest.mark.parametrize("text", ["", "# only a comment", "12ab", PUBLIC + "00"])
def test_what_is_no_public_key_is_told_as_such(text: str) -> None:
    with pytest.raises(InvalidValue, match="64 hexadecimal digits"):
        public_keys_from_text(text)


def test_keys_are_read_as_they_are_printed() -> None:
    keys = public_keys_from_text(f"# ours\nWATTLEDGER_SEALING_PUBLIC_KEY={PUBLIC}\n\n{'ab' * 32}  # the next\n")
    assert keys.knows(SealingKey(KEY).key_id)


_WITHOUT_A_SERVERS_LIBRARIES = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'psycopg', 'eventsourcing', 'faust', 'yoyo', 'psutil', 'holidays'}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
from console.cli import main
main()
"""


def _check(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", _WITHOUT_A_SERVERS_LIBRARIES, "audit", "check-proof", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_a_third_party_checks_it_offline_with_the_base_install(proof: Proof, tmp_path: Path) -> None:
    file, key = tmp_path / "proof.json", tmp_path / "key.txt"
    file.write_text(proof_text(proof))
    key.write_text(PUBLIC + "\n")
    outcome = _check(str(file), "--public-key", str(key))
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith("proved: position 9 of the ledger that key")
    assert json.loads(outcome.stdout.partition("\n")[2])["supply"] == "room-1"
    file.write_text(proof_text(msgspec.structs.replace(proof, version=1)))
    outcome = _check(str(file), "--public-key", str(key))
    assert outcome.returncode == 1
    assert "the proof does not hold" in outcome.stderr
    assert "Traceback" not in outcome.stderr
