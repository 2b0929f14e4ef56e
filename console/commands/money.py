"""For the counter and for finance: top-ups, balances, relays, the trial balance."""

import os
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer


def register(app: typer.Typer) -> None:
    """Add `top-up`, `balances`, `trial-balance`, `relays` and `held`."""
    app.command("top-up", rich_help_panel="Money")(pay_in)
    app.command("balances", rich_help_panel="Money")(show_balances)
    app.command("trial-balance", rich_help_panel="Finance")(show_trial_balance)
    app.command("relays", rich_help_panel="Operators")(show_relays)


def pay_in(
    account: Annotated[str, typer.Argument(help="The account's code.")],
    amount: Annotated[str, typer.Argument(help="How much, in currency units: 25.00")],
    channel: Annotated[str, typer.Option(help="How the money came in.")] = "kiosk",
    key: Annotated[
        str, typer.Option(help="The idempotency key: the same key books once, however often it is sent.")
    ] = "",
) -> None:
    """Top an account up. A supply that was off for lack of credit is switched on where its site says so."""
    from console.connection import opened_ledger
    from ledger.usecases.accounts import top_up
    from ledger.values.money import micros_from_text

    amount_micros = micros_from_text(amount)
    key = key or str(uuid4())
    with opened_ledger(os.environ) as ledger:
        booked = top_up(
            ledger, account=account, amount_micros=amount_micros, channel=channel, key=key, now=datetime.now(UTC)
        )
    what = "was booked before, nothing changed" if booked.is_repeat else "booked"
    typer.echo(f"{account}: {amount} {what} (position {booked.position}, key {key})")


def show_balances() -> None:
    """Show every account: its balance, what was paid in, what was debited, and the energy used."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.queries import balances

    with finance_connection(os.environ) as connection:
        rows = balances(connection)
    table = Table("account", "site")
    for title in ("balance", "paid in", "debited", "kWh"):
        table.add_column(title, justify="right")
    for row in rows:
        style = "red" if row.balance <= 0 else ""
        kwh = row.usage_milliwh.scaleb(-6)
        table.add_row(
            row.account,
            row.site,
            f"{row.balance:,.6f}",
            f"{row.credited:,.6f}",
            f"{row.debited:,.6f}",
            f"{kwh:,.3f}",
            style=style,
        )
    Console().print(table)


def show_trial_balance(
    at: Annotated[int, typer.Option(min=0, help="At this ledger position; the newest projected one if 0.")] = 0,
) -> None:
    """Show every account code's sum; together they are zero. Exit code 1 where they are not."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.queries import trial_balance, trial_balance_at

    with finance_connection(os.environ) as connection:
        found = trial_balance_at(connection, position=at) if at else trial_balance(connection)
    table = Table(title=f"Trial balance at position {found.position}")
    table.add_column("code")
    table.add_column("postings", justify="right")
    table.add_column("amount", justify="right")
    for row in found.rows:
        table.add_row(row.code, str(row.postings), f"{row.amount:,.6f}")
    table.add_section()
    table.add_row("sum", "", f"{found.total:,.6f}")
    Console().print(table)
    raise typer.Exit(0 if found.total == 0 else 1)


def show_relays() -> None:
    """Show every supply's relay: what is wanted, what was read back, and which locks hold it open."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.queries import relay_states

    with finance_connection(os.environ) as connection:
        rows = relay_states(connection, now=datetime.now(UTC))
    table = Table("supply", "account", "wanted", "read back", "locks", "last order", "warned")
    for row in rows:
        order = f"{row.order_sequence} {row.order_outcome or 'under way'}" if row.order_sequence else ""
        table.add_row(
            row.supply,
            row.account or "",
            row.desired,
            row.actual,
            ", ".join(row.locks),
            order,
            "yes" if row.warned else "",
        )
    Console().print(table)
