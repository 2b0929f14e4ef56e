"""Tokens on paper: the digits in threes, in both languages, every glyph there."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from console.papers.paper import money
from console.papers.pdf import pdf_of
from console.papers.token_paper import token_paper
from console.papers.words import LANGUAGES, words_of
from console.papers.writing import written_token
from console.tokens.digits import grouped
from ledger.values.errors import InvalidValue
from tests.statements.test_papers import read, squeezed
from tests.tokens.conftest import Room

NOW = datetime(2026, 3, 5, tzinfo=UTC)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_slip_says_what_was_sold_and_its_digits_in_threes(room: Room, language: str) -> None:
    room.pay(10_000_000)
    token = room.issue("k1", 7_000_000)
    paper = token_paper(token, currency="CNY", language=language, zone="Asia/Shanghai")
    words = words_of(language)
    said = dict(paper.facts)
    assert said[words["token-digits"]] == grouped(token.digits)
    assert squeezed(said[words["token-digits"]]) == token.digits
    assert (said[words["account"]], said[words["energy"]]) == ("room-1-a", "10.000")
    assert said[words["amount"]] == f"{money(token.amount_micros, currency='CNY')} CNY"
    text = read(pdf_of(paper, made_at=NOW))
    for part in paper.texts:
        assert squeezed(part) in text, part


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_slip_of_what_moves_no_money_says_that_earlier_tokens_are_void(room: Room, language: str) -> None:
    kinds: list[tuple[Any, int]] = [("set", 5), ("disable", 0), ("counter-sync", 0)]
    for number, (kind, units) in enumerate(kinds):
        token = room.tell(f"k{number}", kind, units)
        paper = token_paper(token, currency="", language=language, zone="Asia/Shanghai")
        words = words_of(language)
        assert dict(paper.facts)[words["token-for"]] == words[f"token-{kind}"].format(units=5)
        assert list(paper.notes) == [words["token-voids"]]
        assert words["amount"] not in dict(paper.facts)
        pdf_of(paper, made_at=NOW)


def test_a_slip_is_written_as_a_page_and_as_nothing_else(room: Room) -> None:
    room.pay(10_000_000)
    token = room.issue("k1", 7_000_000)
    with psycopg.connect(room.database.url("wattledger_finance"), autocommit=True) as connection:
        page = written_token(connection, token=token, currency="CNY", form="html", language="zh", now=NOW)
        assert page.name == f"token-{token.position}.html"
        assert grouped(token.digits) in page.content.decode()
        with pytest.raises(InvalidValue, match="'json' is none of a token's; use pdf or html"):
            written_token(connection, token=token, currency="CNY", form="json", language="en", now=NOW)
