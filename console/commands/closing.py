"""For who keeps the books: their time zone, and the closing of months."""

import getpass
import os
from datetime import UTC, datetime
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `ledger close-month` and `ledger set-zone`."""
    group = typer.Typer(help="The books: accounting months and their time zone.", no_args_is_help=True)
    group.command("close-month")(close_month)
    group.command("set-zone")(set_zone)
    app.add_typer(group, name="ledger", rich_help_panel="Finance")


def close_month(
    month: Annotated[str, typer.Argument(help="The month that is over: 2026-07.")],
    allow_late: Annotated[bool, typer.Option(help="Close it although readings are missing; they are told.")] = False,
    operator: Annotated[str, typer.Option(help="Who closes it; the user of this shell if not given.")] = "",
) -> None:
    """Close an accounting month for good, and record every account's balance as it closed.

    What is used in it and arrives later is booked in the open month, its own date kept. Months close in order, the
    first closing closes all before it; none is ever opened again. Refused while readings are missing.
    """
    from console.closing import close
    from ledger.domain.accounting_month import checked_month

    month = checked_month(month)
    closure = close(os.environ, month=month, operator=operator or getpass.getuser(), allow_late=allow_late)
    if closure.closed is None:
        typer.echo(f"{month} was closed before; its balances are recorded now ({closure.parts} events)")
        return
    for one in closure.closed.missing:
        reached = "no reading" if one.reached is None else f"read to {one.reached.isoformat()}"
        typer.echo(f"late: {one.supply} of account {one.account}, {reached}")
    typer.echo(f"{month} is closed (position {closure.closed.position}); balances in {closure.parts} events")


def set_zone(
    zone: Annotated[str, typer.Argument(help="An IANA time zone: Asia/Shanghai. UTC if never set.")],
) -> None:
    """Set the time zone in which accounting months begin and end; before anything is booked, for good."""
    from console.connection import opened_ledger
    from ledger.usecases.closing import set_accounting_zone

    with opened_ledger(os.environ) as ledger:
        position = set_accounting_zone(ledger, zone=zone, now=datetime.now(UTC))
    typer.echo(f"accounting months are those of {zone}" + (f" (position {position})" if position else " already"))
