"""Closed months kept in files: complete, proved without a database, and good for rebuilding everything from them."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from typer.testing import CliRunner, Result

from console.cli import make_app
from ledger.domain.books import BalancesClosed, MonthClosed
from ledger.domain.event import Event, Fact
from ledger.integrity.archive import EVENTS, MANIFEST, SEALS, check_archives, read_archive
from ledger.integrity.archiving import load_archive, write_archive
from ledger.integrity.keys import PublicKeys, SealingKey, key_id_of
from ledger.integrity.verify import verify
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.values.errors import Conflict, InvalidValue, NotFound, Refused
from ledger.values.identity import books_stream
from projections.catalogue import MODELS
from projections.project import project_next, register
from tests.integrity.estate import KEY, Vault
from tests.projections.builders import Story, a_busy_month
from tests.services.postgres import Database

AT = datetime(2026, 9, 1, tzinfo=UTC)
_KEY = SealingKey(KEY)
KEYS = PublicKeys({key_id_of(_KEY.public_key): _KEY.public_key})


@pytest.fixture
def auditor(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url("wattledger_auditor"), autocommit=True) as connection:
        yield connection


@pytest.fixture
def close(database: Database, vault: Vault) -> Callable[[str], None]:
    """Closes a month as the use case does, and seals it."""
    sealer = vault.sealer()

    def close_month(month: str) -> None:
        with Ledger(url=database.url("wattledger_writer")) as ledger:
            facts: list[Fact] = [
                MonthClosed(month=month, zone="UTC", operator="ana", recorded_at=AT),
                BalancesClosed(month=month, part=1, parts=1, balances=[], recorded_at=AT),
            ]
            for fact in facts:
                version = 1 + sum(1 for _ in ledger.events.get(books_stream()))
                ledger.append(Event(books_stream(), version, fact))
        vault.settle(sealer)

    return close_month


@pytest.fixture
def months(
    database: Database, vault: Vault, close: Callable[[str], None], auditor: Connection[Any], tmp_path: Path
) -> list[Path]:
    """Archives of two months of a real estate; what came after them is in the ledger alone."""
    story = Story(database.url("wattledger_writer"))
    facts = [fact for fact in a_busy_month(households=2) if not fact.topic.startswith("books.")]
    half = len(facts) // 2
    story.tell_each(facts[:half])
    close("2026-07")
    story.tell_each(facts[half:])
    close("2026-08")
    for month in ("2026-07", "2026-08"):
        write_archive(auditor, month=month, directory=tmp_path / month)
    return [tmp_path / "2026-07", tmp_path / "2026-08"]


def _digests(connection: Connection[Any]) -> dict[str, str]:
    register(connection, models=MODELS)
    while project_next(connection, models=MODELS, limit=1_000):
        pass
    return {model.name: model.digest(connection) for model in MODELS}


def test_archives_in_their_order_are_the_whole_ledger_up_to_the_last_closing(
    months: list[Path], auditor: Connection[Any]
) -> None:
    checked = check_archives(map(read_archive, months), keys=KEYS)
    assert checked.findings.told == []
    head = head_of(auditor)[0]
    assert (checked.first, checked.last, checked.events) == (1, head, head)


def test_a_month_can_be_checked_without_those_before_it(months: list[Path]) -> None:
    checked = check_archives([read_archive(months[1])], keys=KEYS)
    assert checked.findings.told == []
    assert checked.first == read_archive(months[0]).manifest.last_position + 1


def test_archives_loaded_elsewhere_lead_to_the_same_read_models_and_verify(
    months: list[Path], database: Database, another_database: Database
) -> None:
    with (
        psycopg.connect(database.url(), autocommit=True) as here,
        psycopg.connect(another_database.url(), autocommit=True) as there,
    ):
        for archive in map(read_archive, months):
            load_archive(there, archive)
        assert head_of(there) == head_of(here)
        assert _digests(there) == _digests(here)
    assert verify(another_database.url(), keys=KEYS).findings.told == []


def test_archives_are_loaded_in_order_only(months: list[Path], another_database: Database) -> None:
    with psycopg.connect(another_database.url(), autocommit=True) as there:
        with pytest.raises(Refused, match="the ledger ends at position 0 and the archive of 2026-08 begins at"):
            load_archive(there, read_archive(months[1]))
        assert head_of(there) == (0, 0)


def _rewrite(file: Path, change: Callable[[bytes], bytes]) -> None:
    file.write_bytes(gzip.compress(change(gzip.decompress(file.read_bytes()))))


def test_one_byte_that_is_another_is_found_by_its_seal(months: list[Path]) -> None:
    _rewrite(months[0] / EVENTS, lambda rows: rows.replace(b'"amount_micros":', b'"amount_macros":', 1))
    (found,) = check_archives([read_archive(months[0])], keys=KEYS).findings.told
    assert (found.check, found.first) == ("events", 1)
    assert "as seal 1 says" in found.expected


def test_an_event_cut_off_is_found(months: list[Path]) -> None:
    rows = list(read_archive(months[1]).rows())
    _rewrite(months[1] / EVENTS, lambda text: text.replace(rows[-1], b""))
    findings = check_archives([read_archive(months[1])], keys=KEYS).findings
    assert findings.first is not None
    assert "the end of the file" in {finding.found for finding in findings.told}


def test_a_month_left_out_and_a_key_that_is_not_trusted_are_found(months: list[Path]) -> None:
    first = read_archive(months[0])
    found = check_archives([first, first], keys=KEYS).findings.told
    assert any(finding.expected.startswith(f"seal {first.manifest.last_seal + 1}") for finding in found)
    stranger = SealingKey("55" * 32)
    found = check_archives([first], keys=PublicKeys({stranger.key_id: stranger.public_key})).findings.told
    assert any("signed by a known key" in finding.expected for finding in found)


@pytest.mark.parametrize("file", [EVENTS, SEALS, MANIFEST])
def test_a_file_that_is_broken_off_is_told_as_such(months: list[Path], file: str) -> None:
    path = months[0] / file
    path.write_bytes(path.read_bytes()[: -len(path.read_bytes()) // 2])
    with pytest.raises(InvalidValue, match=r"take another copy|no archive that can be read"):
        check_archives([read_archive(months[0])], keys=KEYS)


def test_what_is_not_what_was_sealed_is_not_archived(
    months: list[Path], auditor: Connection[Any], superuser: Connection[Any], tmp_path: Path
) -> None:
    superuser.execute("UPDATE ledger.events SET originator_version = 77 WHERE notification_id = 2")
    with pytest.raises(Refused, match="nothing is archived"):
        write_archive(auditor, month="2026-07", directory=tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_month_that_is_open_or_not_complete_is_refused(
    months: list[Path], auditor: Connection[Any], database: Database, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="2026-09 is not closed"):
        write_archive(auditor, month="2026-09", directory=tmp_path / "open")
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        version = 1 + sum(1 for _ in ledger.events.get(books_stream()))
        closed = MonthClosed(month="2026-09", zone="UTC", operator="ana", recorded_at=AT)
        ledger.append(Event(books_stream(), version, closed))
    with pytest.raises(Refused, match="not all kept yet"):
        write_archive(auditor, month="2026-09", directory=tmp_path / "open")
    with pytest.raises(Conflict, match="is there already"):
        write_archive(auditor, month="2026-08", directory=months[1])


def test_the_commands_write_check_and_load(
    months: list[Path],
    database: Database,
    another_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_auditor"))
    keys = tmp_path / "keys.txt"
    keys.write_text(_KEY.public_key.hex())

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(make_app(), ["audit", *arguments])

    outcome = run("archive", "2026-07", "--out", str(tmp_path / "july"))
    assert outcome.exit_code == 0, outcome.output
    assert "2026-07, positions 1 to" in outcome.output
    for name in (EVENTS, SEALS, MANIFEST):
        assert (tmp_path / "july" / name).read_bytes() == (months[0] / name).read_bytes()
    outcome = run("check-archive", str(tmp_path / "july"), str(months[1]), "--public-key", str(keys))
    assert outcome.exit_code == 0, outcome.output
    assert "each is what was sealed" in outcome.output
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", another_database.url())
    assert run("load-archive", *map(str, months)).exit_code == 0
    (months[0] / SEALS).write_bytes((months[0] / SEALS).read_bytes().replace(b'"root":"', b'"root":"00', 1))
    outcome = run("check-archive", str(months[0]), "--public-key", str(keys))
    assert outcome.exit_code == 1
    assert "BROKEN at position" in outcome.output
