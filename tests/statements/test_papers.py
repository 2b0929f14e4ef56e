"""Statements and receipts as they are given: every glyph there, every figure readable, in both languages."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import noto_cjk_sans_otc
import pypdfium2
import pytest
from psycopg import Connection

from console.papers.html import html_of
from console.papers.paper import Paper, Row, Table, money
from console.papers.pdf import GlyphMissing, pdf_of
from console.papers.receipt_paper import receipt_paper
from console.papers.statement_paper import statement_paper
from console.papers.words import LANGUAGES, WORDS, channel_name, component_name, unit_name, words_of
from console.papers.writing import written_statement
from ledger.domain.credit.policy import Part
from ledger.values.errors import InvalidValue, NotFound
from projections.statements.gathering import KINDS
from projections.statements.receipt import read_receipt
from tests.statements.conftest import ACCOUNT, MONTHS, Year
from tests.statements.test_year import statement_of

NOW = datetime(2026, 1, 5, tzinfo=UTC)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def papers(finance: Connection[Any], language: str) -> list[Paper]:
    rows = finance.execute("SELECT notification_id FROM ledger.events WHERE topic = 'account.credited/1'").fetchall()
    receipts = [read_receipt(finance, position=position) for (position,) in rows]
    applied = max(receipts, key=lambda row: len(row.applied))
    undone = receipt_paper(applied, language=language, zone="Asia/Shanghai")
    return [statement_paper(statement_of(finance, "2025-06"), language=language), undone]


def read(pdf: bytes) -> str:
    """What a reader copies out of the file, without any white space."""
    document = pypdfium2.PdfDocument(pdf)
    pages = [document[number].get_textpage().get_text_range() for number in range(len(document))]
    return squeezed("".join(pages))


def squeezed(text: str) -> str:
    return "".join(text.split()).replace("\ufffe", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_of_a_pdf_is_the_papers_to_the_last_figure(finance: Connection[Any], language: str) -> None:
    for paper in papers(finance, language):
        text = read(pdf_of(paper, made_at=NOW))
        for said in paper.texts:
            assert squeezed(said) in text, said


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_of_a_page_are_those_of_the_statement(finance: Connection[Any], language: str) -> None:
    statement = statement_of(finance, "2025-06")
    text = read(pdf_of(statement_paper(statement, language=language), made_at=NOW))
    for row in (statement.opening, *(movement.change for movement in statement.movements), statement.closing):
        assert f"{Decimal(statement.shown(row.balance_micros)).scaleb(-6):,.2f}" in text
    assert f"{statement.carry_forward_micros:+,}" in text


def test_lines_stand_in_one_order_whatever_came_first(finance: Connection[Any]) -> None:
    for month in MONTHS:
        (part,) = statement_of(finance, month).supplies
        keys = [key for key, _ in part.ordered_lines]
        assert Counter(keys) == Counter(list(part.lines))
        assert [key.component for key in keys if not key.is_correction] == [
            "energy",
            "energy",
            "standing",
            "vat",
            "vat",
        ]
        assert [key.is_correction for key in keys] == sorted(key.is_correction for key in keys)


def test_what_is_called_something_is_called_so_in_every_language() -> None:
    for name in ("energy", "standing", "vat"):
        assert component_name(name, language="en") != name
        assert component_name(name, language="zh") not in (name, component_name(name, language="en"))
    assert (channel_name("bank", language="zh"), channel_name("shop-7", language="zh")) == ("银行", "shop-7")
    assert [unit_name(unit, language="zh") for unit in ("day", "kWh", "%")] == ["天", "kWh", "%"]


def test_a_character_that_the_font_lacks_is_named_not_left_out() -> None:
    paper = Paper("en", "Statement", [("Account", "flat-\u0e01")], [Table("", [], [Row([])])])
    with pytest.raises(GlyphMissing, match=r"no glyph for U\+0E01"):
        pdf_of(paper, made_at=NOW)


def test_every_language_has_the_same_words_with_the_same_places() -> None:
    def places(text: str) -> list[str]:
        return sorted(part.partition("}")[0] for part in text.split("{")[1:])

    english = WORDS["en"]
    for words in WORDS.values():
        assert words.keys() == english.keys()
        assert {key: places(text) for key, text in words.items()} == {
            key: places(text) for key, text in english.items()
        }
        assert all(words.values())


def test_every_kind_and_every_part_has_a_word() -> None:
    assert set(KINDS.values()) <= set(WORDS["en"])
    parts = set(Part.__args__) - {"balance"}  # type: ignore[attr-defined]
    assert parts <= set(WORDS["en"])


def test_a_language_that_there_is_not_is_told() -> None:
    with pytest.raises(InvalidValue, match="language 'fr' is not known; use en or zh"):
        words_of("fr")


def test_amounts_are_shown_in_the_currencys_smallest_coin() -> None:
    shown = [money(1_234_565_000, currency=currency) for currency in ("CNY", "JPY", "KWD")]
    assert shown == ["1,234.57", "1,235", "1,234.565"]
    assert money(-5_000, currency="CNY") == "-0.01"


def test_html_escapes_what_it_is_told() -> None:
    paper = Paper("en", "<b>", [("a", "<script>")], [])
    assert "<script>" not in html_of(paper)
    assert "&lt;script&gt;" in html_of(paper)


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_browser_shows_the_page_without_asking_anybody(
    finance: Connection[Any], language: str, tmp_path: Path
) -> None:
    paper = papers(finance, language)[0]
    (tmp_path / "page.html").write_text(html_of(paper))
    # A reader in Chinese has a font for it; a bare machine has ours.
    fonts = tmp_path / "data" / "fonts"
    fonts.mkdir(parents=True)
    (fonts / "noto.ttc").symlink_to(str(noto_cjk_sans_otc.FONT_PATH))
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")}
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    command += ["--proxy-server=127.0.0.1:9", "--no-pdf-header-footer", f"--print-to-pdf={tmp_path}/page.pdf"]
    subprocess.run([*command, f"file://{tmp_path}/page.html"], env=environment, capture_output=True, timeout=120,
                   check=True)  # fmt: skip
    text = read((tmp_path / "page.pdf").read_bytes())
    missing = [said for said in paper.texts if squeezed(said) not in text]
    assert missing == []


def test_a_receipt_tells_how_a_top_up_was_applied_and_adds_up(finance: Connection[Any]) -> None:
    rows = finance.execute("SELECT notification_id FROM ledger.events WHERE topic = 'account.credited/1'").fetchall()
    receipts = [read_receipt(finance, position=position) for (position,) in rows]
    assert any(len(row.applied) > 1 for row in receipts)
    for receipt in receipts:
        if receipt.applied:
            assert sum(row.amount_micros for row in receipt.applied) == receipt.amount_micros
        assert receipt.proof is not None
        assert receipt.proof.position == receipt.position


def test_there_is_no_receipt_of_what_is_no_top_up(finance: Connection[Any]) -> None:
    with pytest.raises(NotFound, match="no top-up at position 1 but books"):
        read_receipt(finance, position=1)


def test_the_commands_write_papers_whose_proof_checks_offline(year: Year, tmp_path: Path) -> None:
    environment = {**os.environ, "WATTLEDGER_DATABASE_URL": year.database.url("wattledger_finance")}
    environment["WATTLEDGER_PEOPLE_DATABASE_URL"] = year.database.url("wattledger_people")
    console = [sys.executable, "-m", "console"]

    def told(*arguments: str, code: int = 0) -> str:
        done = subprocess.run([*console, *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    for form in ("pdf", "html", "json"):
        told("statement", ACCOUNT, "--month", "2025-06", "--format", form, "--out", str(tmp_path))
    file = tmp_path / f"statement-{ACCOUNT}-2025-06.json"
    (tmp_path / "public.txt").write_text(year.public_key + "\n")
    environment["WATTLEDGER_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:9/none"
    assert "proved: position" in told("audit", "check-proof", str(file), "--public-key", str(tmp_path / "public.txt"))
    forged = json.loads(file.read_text())
    forged["proof"]["version"] += 1
    file.write_text(json.dumps(forged))
    assert "does not hold" in told(
        "audit", "check-proof", str(file), "--public-key", str(tmp_path / "public.txt"), code=1
    )
    environment["WATTLEDGER_DATABASE_URL"] = year.database.url("wattledger_finance")
    assert "2025-13" in told("statement", ACCOUNT, "--month", "2025-13", code=2)
    assert "format 'doc'" in told("statement", ACCOUNT, "--month", "2025-06", "--format", "doc", code=2)
    assert "no top-up at position 1" in told("receipt", "1", code=2)


def test_a_statement_is_named_by_its_account_without_breaking_out_of_its_directory(finance: Connection[Any]) -> None:
    written = written_statement(finance, account=ACCOUNT, month="2025-06", form="html", language="zh", now=NOW)
    assert written.name == f"statement-{ACCOUNT}-2025-06.html"
    assert "电费账单" in written.content.decode()
