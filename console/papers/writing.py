"""A statement, a receipt or a token in a form: PDF, HTML or JSON, as bytes with their media type."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from console.papers.html import html_of
from console.papers.paper import Paper
from console.papers.receipt_paper import receipt_paper
from console.papers.statement_paper import statement_paper
from console.papers.token_paper import token_paper
from console.papers.words import words_of
from console.tokens.issued import Token
from ledger.domain.accounting_month import month_at
from ledger.values.errors import InvalidValue
from projections.books import rules_at
from projections.model import LIVE
from projections.statements.reading import read_statement
from projections.statements.receipt import read_receipt
from projections.statements.written import receipt_json, statement_json

FORMS = {"pdf": "application/pdf", "html": "text/html; charset=utf-8", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Written:
    """A file: its name, its media type and its bytes."""

    name: str
    media_type: str
    content: bytes


def written_statement(
    connection: Connection[Any], *, account: str, month: str, form: str, language: str, now: datetime
) -> Written:
    """Return an account's statement; raises InvalidValue, NotFound or Refused for what there is not."""
    _check(form, language)
    statement = read_statement(
        connection, account=account, month=month, this_month=month_at(now, zone=_zone(connection))
    )
    name = f"statement-{_plain(account)}-{statement.month}"
    return _written(
        name, form, now, json=lambda: statement_json(statement),
        paper=lambda: statement_paper(statement, language=language),
    )  # fmt: skip


def written_receipt(
    connection: Connection[Any], *, position: int, form: str, language: str, now: datetime
) -> Written:
    """Return the receipt of the top-up at a position; raises InvalidValue or NotFound."""
    _check(form, language)
    receipt = read_receipt(connection, position=position)
    zone = _zone(connection)
    return _written(
        f"receipt-{position}", form, now, json=lambda: receipt_json(receipt),
        paper=lambda: receipt_paper(receipt, language=language, zone=zone),
    )  # fmt: skip


def written_token(
    connection: Connection[Any], *, token: Token, currency: str, form: str, language: str, now: datetime
) -> Written:
    """Return a token's slip, as PDF or HTML; raises InvalidValue for any other form or language."""
    if form not in ("pdf", "html"):
        raise InvalidValue(f"format {form!r} is none of a token's; use pdf or html")
    paper = token_paper(token, currency=currency, language=language, zone=_zone(connection))
    return _written(f"token-{token.position}", form, now, json=dict, paper=lambda: paper)


def _check(form: str, language: str) -> None:
    if form not in FORMS:
        raise InvalidValue(f"format {form!r} is not known; use {', '.join(FORMS)}")
    words_of(language)


def _zone(connection: Connection[Any]) -> str:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return rules_at(cursor, schema=LIVE).zone


def _plain(account: str) -> str:
    """Return an account's code as part of a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "~" for letter in account)


def _written(
    name: str, form: str, now: datetime, *, json: Callable[[], dict[str, Any]], paper: Callable[[], Paper]
) -> Written:
    match form:
        case "json":
            content = msgspec.json.format(msgspec.json.encode(json()), indent=2) + b"\n"
        case "html":
            content = html_of(paper()).encode()
        case _:
            # Its libraries, and a font of twenty megabytes, are loaded by who makes PDFs only.
            from console.papers.pdf import pdf_of

            content = pdf_of(paper(), made_at=now)
    return Written(f"{name}.{form}", FORMS[form], content)
