"""`receipts`: money that nobody can place yet, and what providers pay out of what they received for us."""

import os
from typing import Annotated

import typer

from console.command_groups import add_group
from console.commands.account.options import Amount, Key, Operator, ReasonCode

_Receipt = Annotated[str, typer.Argument(help="The receipt's code, yours to choose: bank-2026-11-22-17")]
_Channel = Annotated[str, typer.Option(help="How the money came in.")]


def register(app: typer.Typer) -> None:
    """Add the group `receipts`."""
    add_group(
        app,
        "receipts",
        {"keep": keep, "list": show, "identify": identify, "return": send_back, "settle": settle},
        about="Money that comes in without an account.",
        panel="Finance",
    )


def keep(
    receipt: _Receipt,
    amount: Amount,
    operator: Operator,
    channel: _Channel = "bank",
    reason: ReasonCode = "unidentified",
    key: Key = None,
    is_cleared: Annotated[
        bool, typer.Option("--clearing", help="The channel's provider has the money still, and will pay it out.")
    ] = False,
) -> None:
    """Keep money that came in and nobody can place, until `receipts identify` says whose it is."""
    from console.connection import opened_ledger
    from console.ordering import given_by
    from ledger.usecases.money.receipts import keep_receipt
    from ledger.values.money import micros_from_text

    by = given_by(operator=operator, reason=reason, key=key)
    with opened_ledger(os.environ) as ledger:
        booked = keep_receipt(
            ledger,
            receipt=receipt,
            amount_micros=micros_from_text(amount),
            channel=channel,
            by=by,
            is_cleared=is_cleared,
        )
    typer.echo(f"{receipt}: kept (position {booked.position}, key {by.key})")


def show(
    every: Annotated[bool, typer.Option("--all", help="Those with an account, or returned, too.")] = False,
) -> None:
    """List the receipts that wait for somebody to say whose they are."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.receipts import receipts

    with finance_connection(os.environ) as connection:
        rows = receipts(connection, every=every)
    if not rows:
        typer.echo("no receipt was kept yet" if every else "no receipt waits")
        return
    table = Table("receipt", "channel", "kept", "outcome", "account")
    table.add_column("amount", justify="right")
    for row in rows:
        kept = f"{row.kept_at:%Y-%m-%d %H:%M}"
        table.add_row(row.receipt, row.channel, kept, row.outcome, row.account, f"{row.amount:,.2f}")
    Console().print(table)


def identify(
    receipt: _Receipt,
    account: Annotated[str, typer.Argument(help="The account that it belongs to.")],
    operator: Operator,
    reason: ReasonCode = "identified",
    key: Key = None,
) -> None:
    """Credit an account with a kept receipt, once."""
    from console.connection import opened_ledger
    from console.ordering import given_by
    from ledger.usecases.money.receipts import identify_receipt

    by = given_by(operator=operator, reason=reason, key=key)
    with opened_ledger(os.environ) as ledger:
        booked = identify_receipt(ledger, receipt=receipt, account=account, by=by)
    typer.echo(f"{receipt}: credited to {account} (position {booked.position}, key {by.key})")


def send_back(receipt: _Receipt, operator: Operator, reason: ReasonCode = "unknown-payee", key: Key = None) -> None:
    """Book that a kept receipt went back to whoever had sent it, once."""
    from console.connection import opened_ledger
    from console.ordering import given_by
    from ledger.usecases.money.receipts import return_receipt

    by = given_by(operator=operator, reason=reason, key=key)
    with opened_ledger(os.environ) as ledger:
        booked = return_receipt(ledger, receipt=receipt, by=by)
    typer.echo(f"{receipt}: returned (position {booked.position}, key {by.key})")


def settle(
    channel: Annotated[str, typer.Argument(help="The channel whose provider pays out.")],
    gross: Annotated[str, typer.Argument(help="What it had received for us, in currency units.")],
    operator: Operator,
    bank: Annotated[str, typer.Option(help="Where the money went.")],
    fees: Annotated[str, typer.Option(help="What the provider keeps of it.")] = "0",
    commission: Annotated[str, typer.Option(help="What its agents keep of it.")] = "0",
    reason: ReasonCode = "payout",
    key: Key = None,
) -> None:
    """Book that a provider paid out what it had received for us (`top-up --clearing`), less fees and commission."""
    from console.connection import opened_ledger
    from console.ordering import given_by
    from ledger.usecases.money.receipts import settle_clearing
    from ledger.values.money import micros_from_text

    by = given_by(operator=operator, reason=reason, key=key)
    with opened_ledger(os.environ) as ledger:
        booked = settle_clearing(
            ledger,
            channel=channel,
            gross_micros=micros_from_text(gross),
            fees_micros=micros_from_text(fees),
            commission_micros=micros_from_text(commission),
            bank=bank,
            by=by,
        )
    typer.echo(f"{channel}: paid out (position {booked.position}, key {by.key})")
