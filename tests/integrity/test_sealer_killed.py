"""`wattledger seal` killed at random instants: the chain stays whole, and the witness has what the database has."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.integrity.kept import newest_seal, seals_after, witnessed
from ledger.integrity.verify import verify
from ledger.integrity.witness.file import FileWitness
from tests.integrity.estate import KEY, Vault
from tests.services.postgres import Database

KILLS = 8


def _sealer(database: Database, witness: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "console", "seal"],
        env={
            "PATH": os.environ["PATH"],
            "WATTLEDGER_DATABASE_URL": database.url("wattledger_sealer"),
            "WATTLEDGER_WITNESS": str(witness),
            "WATTLEDGER_SEALING_KEY": KEY,
            "WATTLEDGER_SEAL_EVERY_S": "0",
        },
        stdout=subprocess.DEVNULL,
    )


def _await_seal(vault: Vault, *, after: int, timeout_s: float = 60.0) -> float:
    """Wait until the ledger's end is sealed and witnessed; return how long that took."""
    began = time.monotonic()
    while True:
        newest = newest_seal(vault.connection)
        if newest is not None and newest.last_position >= after and witnessed(vault.connection) >= newest.number:
            return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"not sealed: {newest}"
        time.sleep(0.02)


@pytest.mark.slow
def test_kill_9_at_random_instants_leaves_the_chain_whole_and_the_witness_equal(
    database: Database, vault: Vault
) -> None:
    assert isinstance(vault.witness, FileWitness)
    dice = random.Random(20260901)
    for _ in range(KILLS):
        process = _sealer(database, vault.witness.path)
        vault.append(1)
        _await_seal(vault, after=vault.events)
        deadline = time.monotonic() + dice.uniform(0, 0.8)
        while time.monotonic() < deadline:
            vault.append(dice.randint(1, 300))
        process.kill()
        process.wait()
    process = _sealer(database, vault.witness.path)
    _await_seal(vault, after=vault.events)
    process.terminate()
    assert process.wait(timeout=30) == 0
    seals = list(seals_after(vault.connection, after=0))
    assert list(vault.witness.records()) == seals
    assert len(seals) >= KILLS
    verified = verify(database.url("wattledger_auditor"), witness=vault.witness)
    assert (verified.findings.told, verified.events, verified.unsealed) == ([], vault.events, 0)


@pytest.mark.slow
def test_two_sealers_take_turns_and_events_are_sealed_within_five_seconds(database: Database, vault: Vault) -> None:
    assert isinstance(vault.witness, FileWitness)
    one, other = (_sealer(database, vault.witness.path) for _ in range(2))
    vault.append(10)
    _await_seal(vault, after=10)
    waited = []
    for _ in range(5):
        vault.append(100)
        waited.append(_await_seal(vault, after=vault.events))
    assert max(waited) < 5.0
    one.kill()
    vault.append(10)
    _await_seal(vault, after=vault.events)
    other.kill()
    one.wait()
    other.wait()
    assert list(vault.witness.records()) == list(seals_after(vault.connection, after=0))
