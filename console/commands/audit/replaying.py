"""`audit replay`: an account's whole history."""

import os
import sys
from collections.abc import Iterable
from contextlib import closing
from itertools import chain, islice
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `replay`."""
    group.command("replay")(replay_account)


def replay_account(
    account: Annotated[str, typer.Argument(help="The account's code.")],
    at: Annotated[
        int | None, typer.Option(min=1, help="Up to this ledger position; the newest if not given.")
    ] = None,
    as_of: Annotated[
        str, typer.Option(help="The balances of this time (ISO 8601): as recorded and as effective by then.")
    ] = "",
    from_closing: Annotated[str, typer.Option(help="Begin with the balance of this closed month: 2026-07.")] = "",
    form: Annotated[str, typer.Option("--format", help="table, jsonl or csv.")] = "table",
) -> None:
    """Tell an account's whole history in order: every event with its evidence, its postings and the balance after it.

    With `--at` and `--as-of` together: what was known at that position of what was effective by that time.
    """
    from console.audit.replay_shown import writer_of
    from console.connection import finance_connection
    from ledger.domain.accounting_month import checked_month
    from ledger.values.errors import InvalidValue
    from ledger.values.instants import parse_instant
    from projections.replay import asked, replay

    write = writer_of(form)
    if as_of and from_closing:
        raise InvalidValue("--as-of and --from-closing ask for two different balances; give one of them")
    instant = parse_instant(as_of) if as_of else None
    month = checked_month(from_closing) if from_closing else None
    with finance_connection(os.environ) as connection:
        wanted = asked(connection, account=account, position=at, as_of=instant, from_closing=month)
        with closing(replay(connection, wanted)) as steps:
            # The first step before any output: an account that does not exist has no history, not even a heading.
            first = list(islice(steps, 1))
            _write(write(wanted, chain(first, steps)))


def _write(texts: Iterable[str]) -> None:
    """Write to standard output until there is no more, or nobody who reads it (`| head`)."""
    try:
        for text in texts:
            sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        # What Python would still flush at its end must not be told as an error either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
