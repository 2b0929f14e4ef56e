"""The auditor's commands on a real ledger: exit codes, words, and the files they leave."""

from pathlib import Path

import pytest
import typer
from psycopg import Connection
from typer.testing import CliRunner, Result

from console.cli import make_app
from ledger.integrity.findings import Finding, Findings
from ledger.integrity.keys import SealingKey
from ledger.integrity.witness.file import FileWitness
from ledger.store.application import Ledger
from projections.catalogue import MODELS
from projections.process import connect
from projections.project import project_next, register
from tests.integrity.estate import KEY, Vault
from tests.projections.builders import Story
from tests.services.postgres import Database


@pytest.fixture
def app(database: Database, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    """A sealed ledger of real facts, with its read models."""
    story = Story(database.url("wattledger_writer"))
    story.move_in("flat-1", "anna")
    with connect(database.url("wattledger_projector"), name="test") as projector:
        register(projector, models=MODELS)
        while project_next(projector, models=MODELS, limit=1_000):
            pass
    vault.settle(vault.sealer())
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_auditor"))
    assert isinstance(vault.witness, FileWitness)
    monkeypatch.setenv("WATTLEDGER_WITNESS", str(vault.witness.path))
    return make_app()


def _audit(app: typer.Typer, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["audit", *arguments])


def test_a_whole_ledger_is_told_as_such(app: typer.Typer) -> None:
    outcome = _audit(app, "verify", "--fold", "all")
    assert outcome.exit_code == 0, outcome.output
    assert "everything is as it must be" in outcome.output
    assert "under 1 seals" in outcome.output
    assert "compared with the witness, file" in outcome.output


def test_a_broken_one_is_told_by_its_first_position(app: typer.Typer, superuser: Connection[object]) -> None:
    superuser.execute("UPDATE ledger.events SET originator_version = 77 WHERE notification_id = 2")
    outcome = _audit(app, "verify", "--no-projections")
    assert outcome.exit_code == 1
    assert "BROKEN at position 2" in outcome.output
    assert "expected: the event of hash" in outcome.output
    assert "found:    an event of hash" in outcome.output
    assert "2 positions are affected (1 by events, 2 by versions)" in outcome.output


def test_money_that_does_not_balance_is_told_even_before_it_is_sealed(
    app: typer.Typer, vault: Vault, database: Database
) -> None:
    state = b'{"recorded_at":"2026-01-01T00:00:00Z","postings":[["a","",5],["b","",-4]]}'
    vault.append(1, state=state)
    outcome = _audit(app, "verify", "--no-projections")
    assert outcome.exit_code == 1
    assert "expected: postings that sum to 0" in outcome.output
    assert "found:    a sum of 1 micro-units" in outcome.output
    assert "1 events are newer than the last seal" in outcome.output


def test_bytes_that_are_no_fact_are_told(app: typer.Typer, vault: Vault) -> None:
    vault.append(1, state=b"{")
    outcome = _audit(app, "verify", "--no-projections")
    assert "expected: a fact in JSON" in outcome.output


def test_a_read_model_that_is_not_what_its_events_say_is_told(
    app: typer.Typer, superuser: Connection[object]
) -> None:
    superuser.execute("UPDATE projections.supplies SET site = 'elsewhere'")
    outcome = _audit(app, "verify")
    assert outcome.exit_code == 1
    assert "of supplies at position" in outcome.output
    assert "projections rebuild supplies" in outcome.output
    assert _audit(app, "verify", "--no-projections").exit_code == 0


def test_a_proof_goes_from_hand_to_hand(app: typer.Typer, tmp_path: Path) -> None:
    keys, proof = tmp_path / "keys", tmp_path / "proof"
    keys.write_text(_audit(app, "keys").output)
    assert SealingKey(KEY).public_key.hex() in keys.read_text()
    assert "event 2 under seal 1" in _audit(app, "prove", "2", "--out", str(proof)).output
    checked = _audit(app, "check-proof", str(proof), "--public-key", str(keys))
    assert checked.exit_code == 0, checked.output
    assert _audit(app, "verify", "--public-keys", str(keys), "--no-projections").exit_code == 0
    keys.write_text("ab" * 32)
    checked = _audit(app, "check-proof", str(proof), "--public-key", str(keys))
    assert checked.exit_code == 1
    assert "none of those given" in checked.output
    assert _audit(app, "verify", "--public-keys", str(keys), "--no-projections").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--fold", "some"], "neither a number of supply points nor `all`"),
        (["--from", "5", "--to", "4"], "--to 4 is before --from 5"),
        (["--witness", "nowhere.jsonl"], "there is no witness at nowhere.jsonl"),
    ],
)
def test_what_makes_no_sense_is_told(app: typer.Typer, arguments: list[str], told: str) -> None:
    assert told in str(_audit(app, "verify", *arguments).exception)


def test_kept_counters_that_no_event_leads_to_are_found(app: typer.Typer, database: Database) -> None:
    from msgspec.structs import replace

    from ledger.domain.event import Event
    from ledger.domain.meter import MeterState
    from ledger.rating.lines import Counters
    from ledger.values.identity import meter_stream
    from tests.projections.builders import usage_debited

    wrong = replace(
        usage_debited(supply="flat-1", account="anna", amount_micros=6),
        state=MeterState(counters=Counters("2026-07", 1)),
    )
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        ledger.append(Event(meter_stream("flat-1"), 1, wrong))
    outcome = _audit(app, "verify", "--no-projections", "--fold", "5")
    assert outcome.exit_code == 1
    assert "counters of flat-1" in outcome.output


def test_findings_keep_the_first_and_count_the_rest() -> None:
    findings = Findings()
    for position in range(1_000, 0, -1):
        findings.add(Finding("events", position, position, "a", "b"))
        findings.add(Finding("versions", position, position, "c", "d"))
    assert findings.first == Finding("events", 1, 1, "a", "b")
    assert findings.affected == 1_000
    assert findings.by_check == {"events": 1_000, "versions": 1_000}
    assert len(findings.told) <= 41
