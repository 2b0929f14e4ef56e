"""Banks' files against a real ledger: each line once, nothing lost, and the page's example as it is printed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import Connection

from console.bank.importing import _LOCK, ImportBusy, Told, import_bank_file
from console.bank.mapping import BadMapping, read_mapping
from console.bank.statement_file import BadBankFile, read_lines
from console.papers.paper import money
from ledger.store.application import Ledger
from ledger.store.people import erase_person
from ledger.usecases.accounts import open_account, references_of
from ledger.usecases.money.attempt import By
from ledger.usecases.money.receipts import identify_receipt
from projections.receipts import receipts
from tests.projections.builders import START
from tests.services.postgres import Database

PAGE = (Path(__file__).parents[2] / "docs" / "bank-files.md").read_text()
SIMPLE = """
bank = "b-1"
currency = "EUR"
[columns]
date = "date"
amount = "amount"
text = ["text"]
[account]
pattern = 'room-([0-9]+)'
code = "account-{}"
"""
ENVIRONMENT = {"WATTLEDGER_REFERENCE_KEY": "ab" * 32}


def block(kind: str) -> str:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def environ(database: Database) -> dict[str, str]:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        for number in (101, 102):
            open_account(ledger, account=f"account-{number}", site="riverside", currency="EUR", now=START)
    return ENVIRONMENT | {
        "WATTLEDGER_DATABASE_URL": database.url("wattledger_writer"),
        "WATTLEDGER_PEOPLE_DATABASE_URL": database.url("wattledger_people"),
    }


def imported(
    environ: dict[str, str], directory: Path, *lines: str, mapping: str = SIMPLE, dry: bool = False
) -> list[Told]:
    (directory / "m.toml").write_text(mapping)
    (directory / "f.csv").write_text("\n".join(["date,amount,text", *lines]) + "\n")
    return import_bank_file(
        environ, file=directory / "f.csv", mapping=directory / "m.toml", operator="op-7", is_dry_run=dry
    )[1]


def outcomes(told: list[Told]) -> list[str]:
    return [one.outcome for one in told]


def credited(environ: dict[str, str]) -> Counter[str]:
    """What each account was credited, in micro-units, and what is kept for nobody."""
    with psycopg.connect(environ["WATTLEDGER_DATABASE_URL"]) as connection:
        rows = connection.execute(
            "SELECT topic, convert_from(state, 'UTF8')::jsonb FROM ledger.events"
            " WHERE topic IN ('account.credited/1', 'receipt.kept/1')"
        ).fetchall()
    sums: Counter[str] = Counter()
    for _, fact in rows:
        sums[fact.get("account", "")] += fact["amount_micros"]
    return sums


def test_the_pages_example_comes_to_what_the_page_says(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "ourbank.toml").write_text(block("toml"))
    (tmp_path / "november.csv").write_text(block("csv"), encoding="latin-1")
    _, told = import_bank_file(
        environ,
        file=tmp_path / "november.csv",
        mapping=tmp_path / "ourbank.toml",
        operator="op-7",
        is_dry_run=False,
    )
    words = {"credited": "credited", "kept": "kept, to be identified", "paid-out": "paid out, left"}
    for one, line in zip(told, _said(), strict=True):
        number, what, rest = one.number, words.get(one.outcome, "cannot be read"), line.partition(": ")[2]
        assert line.startswith(f"line {number}: {what}"), line
        if one.outcome == "wrong":
            assert rest.removeprefix("cannot be read, ") in one.detail
        else:
            assert line.endswith(money(one.amount_micros, currency="EUR"))
    assert told[2].detail.endswith("it names no account, or more than one")
    assert credited(environ) == {"account-101": 50_000_000, "account-102": 1_250_500_000, "": 25_000_000}


def _said() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("line ")]


def test_a_file_again_and_one_that_overlaps_it_double_nothing(environ: dict[str, str], tmp_path: Path) -> None:
    alike = "2026-11-02,5.00,room-101"
    first = [alike, alike, "2026-11-02,7.00,nobody"]
    assert outcomes(imported(environ, tmp_path, *first, dry=True)) == ["credited", "credited", "kept"]
    assert credited(environ) == {}
    assert outcomes(imported(environ, tmp_path, *first)) == ["credited", "credited", "kept"]
    assert outcomes(imported(environ, tmp_path, *first)) == ["repeated"] * 3
    more = [*first, alike, "2026-11-03,1.00,room-102"]
    assert outcomes(imported(environ, tmp_path, *more)) == ["repeated"] * 3 + ["credited"] * 2
    assert credited(environ) == {"account-101": 15_000_000, "account-102": 1_000_000, "": 7_000_000}


def test_what_was_kept_is_not_credited_as_well_once_the_account_is_there(
    environ: dict[str, str], database: Database, tmp_path: Path
) -> None:
    line = "2026-11-02,5.00,room-777 from Li Wei"
    (kept,) = imported(environ, tmp_path, line)
    assert kept.outcome == "kept"
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        open_account(ledger, account="account-777", site="riverside", currency="EUR", now=START)
        assert outcomes(imported(environ, tmp_path, line)) == ["repeated"]
        receipt = kept.detail.split()[1].rstrip(":")
        by = By(operator="op-7", reason="identified", key="k", now=START)
        identify_receipt(ledger, receipt=receipt, account="account-777", by=by)
        assert outcomes(imported(environ, tmp_path, line)) == ["repeated"]
        references = references_of(ledger, "account-777")
    with psycopg.connect(database.url("wattledger_people"), autocommit=True) as people:
        assert _references(people) == ["b-1:line:2026-11-02 5000000 room-777 from Li Wei #1"]
        assert erase_person(people, account="account-777", reference_hashes=references) == 1
        assert _references(people) == []
    with psycopg.connect(database.url("wattledger_finance")) as finance:
        assert "Li Wei" not in str(
            finance.execute("SELECT convert_from(state, 'UTF8') FROM ledger.events").fetchall()
        )
        assert receipts(finance, every=False) == []


def _references(people: Connection[Any]) -> list[str]:
    return [row[0] for row in people.execute("SELECT reference FROM people.outside_references").fetchall()]


def test_the_banks_id_is_who_a_line_is(environ: dict[str, str], tmp_path: Path) -> None:
    mapping = SIMPLE.replace('text = ["text"]', 'text = ["text"]\nid = "id"')
    (tmp_path / "m.toml").write_text(mapping)
    rows = ["2026-11-02,5.00,room-101,X1", "2026-11-02,5.00,room-101,X2", "2026-11-02,5.00,room-101,X1"]
    rows += ["2026-11-02,9.00,room-101,X1", "2026-11-02,5.00,room-101,"]
    (tmp_path / "f.csv").write_text("\n".join(["date,amount,text,id", *rows]))
    files = {"file": tmp_path / "f.csv", "mapping": tmp_path / "m.toml"}
    told = import_bank_file(environ, **files, operator="op-7", is_dry_run=False)[1]
    assert outcomes(told) == ["credited", "credited", "repeated", "wrong", "credited"]
    assert "'X1' is on an earlier line with other content" in told[3].detail
    assert credited(environ) == {"account-101": 15_000_000}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("2026-13-02,5.00,room-101", "date '2026-13-02' is not as '%Y-%m-%d' says"),
        ("2026-11-02,1e3,room-101", "amount '1e3' is not a number"),
        ('2026-11-02,"5,00",room-101', "amount '5,00' is not a number"),
        ("2026-11-02,5.00", "fewer fields than the header"),
        ("2026-11-02,5.00,room-101,more", "more or fewer fields"),
        ("2026-11-02,0.0000001,room-101", "finer than 0.000001"),
        ("2026-11-02,99999999999.00,room-101", "99999999999"),
    ],
)
def test_a_bad_line_is_told_and_keeps_no_other_back(
    environ: dict[str, str], tmp_path: Path, line: str, problem: str
) -> None:
    told = imported(environ, tmp_path, line, "2026-11-02,5.00,room-101")
    assert outcomes(told) == ["wrong", "credited"]
    assert problem in told[0].detail
    assert told[0].number == 2


def test_debits_and_credits_in_columns_of_their_own(tmp_path: Path) -> None:
    mapping = SIMPLE.replace('amount = "amount"', 'credit = "in"\ndebit = "out"\ncurrency = "cur"')
    (tmp_path / "m.toml").write_text(mapping)
    rows = ["2026-11-02,5.00,,room-1,EUR", "2026-11-02,,3.00,fee,EUR", "2026-11-02,1.00,1.00,x,EUR"]
    rows += ["2026-11-02,1.00,,room-1,USD", "", "2026-11-02,+2.00,0.00,room-1 room-1,EUR"]
    (tmp_path / "f.csv").write_text("\ufeff" + "\r\n".join(["date,in,out,text,cur", *rows]), encoding="utf-8")
    lines, wrong = read_lines(tmp_path / "f.csv", read_mapping(tmp_path / "m.toml"))
    assert [(line.number, line.amount_micros, line.account) for line in lines] == [
        (2, 5_000_000, "account-1"),
        (3, -3_000_000, ""),
        (7, 2_000_000, "account-1"),
    ]
    assert [(one.number, one.problem.partition(";")[0]) for one in wrong] == [
        (4, "it has an amount paid in and one paid out"),
        (5, "it is in 'USD', the mapping's currency is EUR"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('bank = "b-1"', "", "bank"),
        ('bank = "b-1"', 'bank = "b 1"', "bank 'b 1' is not a code"),
        ('currency = "EUR"', 'currency = "euro"', "currency 'euro'"),
        ('amount = "amount"', "", "either `amount`"),
        ('amount = "amount"', 'amount = "a"\ncredit = "b"', "either `amount`"),
        ('text = ["text"]', "text = []", "columns.text is empty"),
        ('text = ["text"]', 'text = ["text"]\nnote = "x"', "note"),
        ("([0-9]+)", "[0-9]+", "has 0 groups"),
        ("([0-9]+)", "([0-9]+", "no regular expression"),
        ("account-{}", "account", "not one pair of braces"),
        ('[columns]', 'decimal = ","\nthousands = ","\n[columns]', "cannot be both"),
        ('[columns]', 'encoding = "utf-9"\n[columns]', "encoding 'utf-9'"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_wrong_says_what(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "m.toml"
    assert old in SIMPLE
    path.write_text(SIMPLE.replace(old, new, 1))
    with pytest.raises(BadMapping, match="is no mapping: ") as refused:
        read_mapping(path)
    assert told in str(refused.value)


def test_a_file_of_another_bank_is_refused_whole(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(SIMPLE)
    (tmp_path / "f.csv").write_text("date,amount;text\n")
    mapping = read_mapping(tmp_path / "m.toml")
    with pytest.raises(BadBankFile, match="has no column 'text', 'amount'; line 1 has 'date', 'amount;text'"):
        read_lines(tmp_path / "f.csv", mapping)
    (tmp_path / "f.csv").write_bytes(b"date,amount,text\n2026-11-02,5.00,\xff\n")
    with pytest.raises(BadBankFile, match="cannot be read as utf-8"):
        read_lines(tmp_path / "f.csv", mapping)


def test_one_import_at_a_time(environ: dict[str, str], tmp_path: Path) -> None:
    with psycopg.connect(environ["WATTLEDGER_DATABASE_URL"], autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        with pytest.raises(ImportBusy):
            imported(environ, tmp_path, "2026-11-02,5.00,room-101")


def test_killed_half_way_and_imported_again_every_line_is_booked_once(
    environ: dict[str, str], tmp_path: Path
) -> None:
    count = 60
    lines = [f"2026-11-02,1.00,{'room-101' if number % 2 else 'nobody'} {number}" for number in range(count)]
    (tmp_path / "m.toml").write_text(SIMPLE)
    (tmp_path / "f.csv").write_text("\n".join(["date,amount,text", *lines]))
    command = [
        sys.executable,
        "-m",
        "console",
        "import",
        "bank",
        "f.csv",
        "--mapping",
        "m.toml",
        "--operator",
        "op-7",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not sum(credited(environ).values()) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    booked = sum(credited(environ).values()) // 1_000_000
    assert 0 < booked < count
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **environ}, capture_output=True, text=True, check=True
    )
    # What was killed between its booking and its word is among those that were booked before.
    assert f"{booked} booked before" in done.stdout
    assert credited(environ) == {"account-101": 30_000_000, "": 30_000_000}


@given(days=st.lists(st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2)), max_size=12))
def test_whole_days_in_whatever_files_name_each_payment_once(days: list[tuple[int, int, int]]) -> None:
    """Files that have days whole, in any order and overlap, name the same payments with the same references."""
    mapping = read_mapping_text(SIMPLE)
    whole = [f"2026-11-0{day},{amount}.00,room-{text}" for day, amount, text in sorted(days)]
    everything = references(mapping, whole)
    assert len(set(everything)) == len(whole)
    for split in range(1, 5):
        part = [line for line in whole if int(line[9]) < split], [line for line in whole if int(line[9]) >= split]
        assert Counter(references(mapping, part[0]) + references(mapping, part[1])) == Counter(everything)


def read_mapping_text(text: str) -> Any:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"mapping-{os.getpid()}.toml"
    path.write_text(text)
    try:
        return read_mapping(path)
    finally:
        path.unlink()


def references(mapping: Any, lines: list[str]) -> list[str]:
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"lines-{os.getpid()}.csv"
    path.write_text("\n".join(["date,amount,text", *lines]))
    try:
        return [line.reference for line in read_lines(path, mapping)[0]]
    finally:
        path.unlink()
