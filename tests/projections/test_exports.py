"""Exports come back as what the ledger holds: every event, every posting, every balance to the micro-unit."""

import csv
import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from beancount import loader
from beancount.core import data, realization
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.domain.account import AccountOpened
from ledger.store.log import head_of
from ledger.values.errors import InvalidValue, NotFound, Refused
from projections import queries
from projections.exports.beancount_names import NoBeancountName, beancount_name, code_and_account
from projections.exports.export import export
from projections.exports.source import CurrencyUnknown
from projections.queries import BeyondTheHead
from tests.projections.builders import START, Story, a_busy_month, topped_up
from tests.projections.conftest import Project
from tests.services.postgres import Database

FORMATS = ("jsonl", "csv", "parquet", "beancount")


@pytest.fixture
def busy(story: Story, project: Project) -> Story:
    story.tell_each(a_busy_month())
    story.tell(
        AccountOpened(account="Z_odd:of.Name", site="riverside", currency="EUR", recorded_at=START),
        topped_up(account="Z_odd:of.Name", amount_micros=1),
    )
    project()
    # What the projection has not seen is exported as well.
    story.tell(topped_up(account="household-0", amount_micros=1_234_567))
    return story


def journal(connection: Connection[Any]) -> Counter[tuple[int, str, str, Decimal]]:
    rows = connection.execute("SELECT position, code, account, amount FROM projections.journal").fetchall()
    return Counter((row[0], row[1], row[2], row[3]) for row in rows)


def log(connection: Connection[Any]) -> list[tuple[int, str, Any]]:
    query = "SELECT notification_id, topic, convert_from(state, 'UTF8')::jsonb FROM ledger.events ORDER BY 1"
    return [(row[0], row[1], row[2]) for row in connection.execute(query).fetchall()]


def test_json_lines_come_back_as_the_log(busy: Story, finance: Connection[Any], tmp_path: Path) -> None:
    export(finance, form="jsonl", directory=tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [(line["position"], line["topic"], line["event"]) for line in lines] == log(finance)


def test_csv_comes_back_as_the_log_and_the_journal(busy: Story, finance: Connection[Any], tmp_path: Path) -> None:
    export(finance, form="csv", directory=tmp_path)
    with (tmp_path / "events.csv").open(newline="") as file:
        events = [(int(row["position"]), row["topic"], json.loads(row["event"])) for row in csv.DictReader(file)]
    with (tmp_path / "postings.csv").open(newline="") as file:
        postings = list(csv.DictReader(file))
    assert events == log(finance)
    assert journal(finance) == Counter(
        (int(row["position"]), row["code"], row["account"], Decimal(row["amount"])) for row in postings
    )
    assert {row["currency"] for row in postings} == {"EUR"}
    assert {(row["effective_month"], row["month"]) for row in postings} >= {("2026-06", "2026-07")}


def test_parquet_comes_back_as_the_log_and_the_journal(busy: Story, finance: Connection[Any], tmp_path: Path) -> None:
    export(finance, form="parquet", directory=tmp_path)
    events = pq.read_table(tmp_path / "events.parquet").to_pylist()
    postings = pq.read_table(tmp_path / "postings.parquet").to_pylist()
    assert [(row["position"], row["topic"], json.loads(row["event"])) for row in events] == log(finance)
    assert journal(finance) == Counter(
        (row["position"], row["code"], row["account"], row["amount"]) for row in postings
    )


def balances_in(file: Path) -> dict[tuple[str, str], Decimal]:
    entries, errors, _ = loader.load_file(str(file))
    assert errors == []
    found: dict[tuple[str, str], Decimal] = {}
    for account in realization.iter_children(realization.realize(entries)):  # type: ignore[no-untyped-call]
        for position in account.balance:
            found[code_and_account(account.account)] = position.units.number
    opened = [entry for entry in entries if isinstance(entry, data.Open)]
    for entry in opened:
        told = entry.meta["code"], entry.meta.get("account", "")
        assert code_and_account(entry.account) == told
    return found


def test_beancount_checks_the_ledger_and_has_our_balances_to_the_micro_unit(
    busy: Story, finance: Connection[Any], project: Project, tmp_path: Path
) -> None:
    export(finance, form="beancount", directory=tmp_path)
    file = tmp_path / "ledger.beancount"
    checked = subprocess.run(
        [str(Path(sys.executable).parent / "bean-check"), str(file)], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    project()
    found = balances_in(file)
    ours = {row.account: row.balance for row in queries.balances(finance) if row.balance}
    assert {account: -amount for (code, account), amount in found.items() if account} == ours
    by_code: Counter[str] = Counter()
    for (code, _), amount in found.items():
        by_code[code] += amount  # type: ignore[assignment]
    assert dict(by_code) == {row.code: row.amount for row in queries.trial_balance(finance).rows if row.amount}


def test_bean_check_finds_a_micro_unit_that_is_missing(busy: Story, finance: Connection[Any], tmp_path: Path) -> None:
    export(finance, form="beancount", directory=tmp_path)
    file = tmp_path / "ledger.beancount"
    text = file.read_text()
    amount = re.search(r"  (Income:Energy  -?\d+\.\d{6}) EUR", text)
    assert amount is not None
    last = int(amount[1][-1])
    file.write_text(text.replace(amount[1], amount[1][:-1] + str((last + 1) % 10), 1))
    assert loader.load_file(str(file))[1] != []


@pytest.mark.parametrize("form", FORMATS)
def test_an_account_is_exported_with_whole_transactions_and_its_balance(
    busy: Story, finance: Connection[Any], project: Project, tmp_path: Path, form: str
) -> None:
    manifest = export(finance, form=form, directory=tmp_path, account="household-3")
    touching = finance.execute(
        "SELECT count(*), min(position), max(position) FROM projections.account_entries WHERE account = 'household-3'"
    ).fetchone()
    assert (manifest.events, manifest.first, manifest.last) == touching
    if form == "beancount":
        balance = finance.execute("SELECT balance FROM projections.balances WHERE account = 'household-3'").fetchone()
        found = balances_in(tmp_path / "ledger.beancount")
        assert balance is not None
        assert found[("liabilities:prepayment", "household-3")] == -balance[0]


@pytest.mark.parametrize("form", FORMATS)
def test_the_manifest_holds_the_digest_of_every_file_and_two_exports_are_alike(
    busy: Story, finance: Connection[Any], tmp_path: Path, form: str
) -> None:
    head, _ = head_of(finance)
    manifest = export(finance, form=form, directory=tmp_path / "one", position=head)
    busy.tell(topped_up(account="household-0", amount_micros=5))
    assert export(finance, form=form, directory=tmp_path / "two", position=head) == manifest
    told = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert {file["name"] for file in told["files"]} | {"manifest.json"} == {
        path.name for path in (tmp_path / "one").iterdir()
    }
    for file in told["files"]:
        content = (tmp_path / "one" / file["name"]).read_bytes()
        assert (file["sha256"], file["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (told["position"], told["first"], told["last"], told["events"]) == (head, 1, head, head)
    assert told["postings"] == sum(count for row, count in journal(finance).items() if row[0] <= head)


def test_what_cannot_be_exported_is_told(busy: Story, finance: Connection[Any], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(Refused, match="not an empty directory"):
        export(finance, form="jsonl", directory=tmp_path)
    with pytest.raises(InvalidValue, match="'xlsx' is not known; use jsonl, csv, parquet, beancount"):
        export(finance, form="xlsx", directory=tmp_path / "a")
    with pytest.raises(BeyondTheHead):
        export(finance, form="jsonl", directory=tmp_path / "b", position=10**9)
    with pytest.raises(NotFound, match="'nobody'"):
        export(finance, form="jsonl", directory=tmp_path / "c", account="nobody")
    # What failed leaves nothing that looks like an export.
    assert list((tmp_path / "c").iterdir()) == []


def test_a_transaction_of_an_account_that_was_never_opened_has_no_currency(
    story: Story, finance: Connection[Any], tmp_path: Path
) -> None:
    story.tell(topped_up(account="ghost", amount_micros=5))
    with pytest.raises(CurrencyUnknown, match=r"position 1 cannot be told \(accounts ghost\)"):
        export(finance, form="beancount", directory=tmp_path)


CODES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,30}", fullmatch=True)
PARTS = st.lists(st.text(st.characters(exclude_characters=":"), max_size=8) | st.just("of"), min_size=1, max_size=4)
# beancount's own rule of account names, for ASCII (beancount/core/account.py).
BEANCOUNT = re.compile(r"(Assets|Liabilities|Equity|Income|Expenses)(:[A-Z0-9][A-Za-z0-9-]*)+")


@given(parts=PARTS, account=CODES | st.just(""))
def test_names_for_beancount_lead_back_to_code_and_account(parts: list[str], account: str) -> None:
    code = ":".join(["liabilities", *parts])
    name = beancount_name(code, account)
    assert BEANCOUNT.fullmatch(name)
    assert code_and_account(name) == (code, account)


def test_a_code_without_a_root_that_beancount_knows_is_told() -> None:
    with pytest.raises(NoBeancountName, match="'suspense:a' does not begin with one of assets"):
        beancount_name("suspense:a", "")
    assert beancount_name("liabilities:prepayment", "room-1") == "Liabilities:Prepayment:Of:Room-1"


def test_the_ledger_is_exported_at_the_command_line(
    busy: Story, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_auditor"))
    out = tmp_path / "export"
    done = CliRunner().invoke(make_app(), ["audit", "export", "--format", "csv", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["events.csv", "manifest.json", "postings.csv"]
    assert hashlib.sha256((out / "events.csv").read_bytes()).hexdigest() in done.output
