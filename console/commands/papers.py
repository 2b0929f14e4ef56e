"""`statement` and `receipt`: what consumers are given on paper."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

_Form = Annotated[str, typer.Option("--format", help="pdf, html or json.")]
_Language = Annotated[
    str, typer.Option(help="en or zh; if not given the account's own, where personal data may be read, else en.")
]
_Out = Annotated[Path, typer.Option(help="The directory that the file is written to.")]


def register(app: typer.Typer) -> None:
    """Add `statement` and `receipt`."""
    app.command("statement", rich_help_panel="Money")(write_statement)
    app.command("receipt", rich_help_panel="Money")(write_receipt)


def write_statement(
    account: Annotated[str, typer.Argument(help="The account's code.")],
    month: Annotated[str, typer.Option(help="The accounting month: 2026-07")],
    form: _Form = "pdf",
    language: _Language = "",
    out: _Out = Path(),
) -> None:
    """Write an account's monthly statement: registers, lines, taxes, top-ups, debt, carry-forward and the seal.

    Figures are sums of the ledger's own events. The JSON form holds a proof that `audit check-proof` checks offline.
    """
    from console.connection import finance_connection
    from console.papers.writing import written_statement

    language = language or language_of(account)
    with finance_connection(os.environ) as connection:
        written = written_statement(
            connection, account=account, month=month, form=form, language=language, now=datetime.now(UTC)
        )
    write_file(out, written.name, written.content)


def write_receipt(
    position: Annotated[int, typer.Argument(min=1, help="The top-up's position, as `top-up` told it.")],
    form: _Form = "pdf",
    language: _Language = "",
    out: _Out = Path(),
) -> None:
    """Write a top-up's receipt: how it was applied, the energy that it buys, how long that lasts."""
    from console.connection import finance_connection
    from console.papers.writing import written_receipt
    from projections.statements.receipt import read_receipt

    with finance_connection(os.environ) as connection:
        language = language or language_of(read_receipt(connection, position=position).account)
        written = written_receipt(connection, position=position, form=form, language=language, now=datetime.now(UTC))
    write_file(out, written.name, written.content)


def language_of(account: str) -> str:
    """Return the language that is kept with the account's personal data; English where none may be read."""
    from console.connection import NotReachable, people_connection
    from ledger.store.people import person_of

    try:
        with people_connection(os.environ) as connection:
            return person_of(connection, account=account).language
    except NotReachable:
        return "en"


def write_file(directory: Path, name: str, content: bytes) -> None:
    """Write a file and say where; raises ConsoleError where that cannot be."""
    from console.errors import ConsoleError

    file = directory / name
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    except OSError as error:
        raise ConsoleError(f"{file} cannot be written: {error}") from error
    typer.echo(f"{file} ({len(content):,} bytes)")
