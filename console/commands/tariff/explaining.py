"""`tariff explain`: for whoever asks why this much was taken."""

import os
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `tariff explain`."""
    group.command("explain")(explain)


def explain(
    account: Annotated[str, typer.Argument(help="The account's code.")],
    debit: Annotated[int, typer.Argument(min=1, help="The debit's position in the ledger.")],
) -> None:
    """Show how a debit came about: evidence, registers, counters, lines with their rules, postings.

    Everything is derived again by folding the supply point's events from the first. Exit code 1 where something
    comes out differently from what was booked.
    """
    from console.connection import finance_connection
    from console.tariffs.explaining import explained
    from console.tariffs.explaining_shown import show_explained

    with finance_connection(os.environ) as connection:
        found = explained(connection, account=account, position=debit)
    show_explained(found)
    raise typer.Exit(1 if found.differences else 0)
