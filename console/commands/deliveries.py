"""For operators: what payment providers delivered, and what of it waits for a person."""

import os
from typing import Annotated

import typer

_PANEL = "Operators"
_Delivery = Annotated[int, typer.Argument(help="Its number, as `deliveries list` shows it.")]


def register(app: typer.Typer) -> None:
    """Add `deliveries list`, `retry` and `settle`."""
    group = typer.Typer(help="What payment providers told by webhook.", no_args_is_help=True)
    group.command("list")(show)
    group.command("retry")(retry)
    group.command("settle")(settle)
    app.add_typer(group, name="deliveries", rich_help_panel=_PANEL)


def show(
    every: Annotated[bool, typer.Option("--all", help="Those that are booked or noted, too.")] = False,
    provider: Annotated[str, typer.Option(help="Of this provider only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 100,
) -> None:
    """List deliveries that are held for a person, or wait for what they follow."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from console.payments.deliveries import State
    from console.payments.desk import shown
    from ledger.values.money import text_from_micros

    states: list[State] = ["held", "waiting", "booked", "noted"] if every else ["held", "waiting"]
    with finance_connection(os.environ) as connection:
        rows = shown(connection, states=states, provider=provider, limit=limit)
    if not rows:
        typer.echo("nothing was delivered yet" if every else "no delivery is held or waits")
        return
    table = Table("number", "provider", "news", "account", "received", "state")
    table.add_column("amount", justify="right")
    table.add_column("detail")
    for row in rows:
        amount = f"{text_from_micros(row.amount_micros)} {row.currency}"
        detail = row.detail or (f"position {row.position}" if row.position else "")
        received = f"{row.received_at:%Y-%m-%d %H:%M}"
        told = (str(row.id), row.provider, row.news, row.account, received, row.state)
        table.add_row(*told, amount, f"{row.event}: {detail}")
    Console().print(table)


def retry(delivery: _Delivery) -> None:
    """Let a delivery be tried again at once, when what it lacked is there."""
    from console.connection import writer_connection
    from console.payments.desk import retry as try_again

    with writer_connection(os.environ) as connection:
        try_again(connection, delivery)
    typer.echo(f"delivery {delivery}: tried again by `wattledger payments`; `deliveries list` tells what came of it")


def settle(
    delivery: _Delivery,
    operator: Annotated[str, typer.Option(help="Who settled it: an opaque id, no name.")],
    reason: Annotated[str, typer.Option(help="How, as a code such as adjusted; no personal data.")],
) -> None:
    """Take a held delivery off the worklist: its money was booked by hand, with `account adjust` or the like."""
    from console.connection import writer_connection
    from console.payments.desk import settle as settled

    with writer_connection(os.environ) as connection:
        settled(connection, delivery, operator=operator, reason=reason)
    typer.echo(f"delivery {delivery}: settled by {operator}")
