"""`account reverse`, `chargeback`, `transfer` and `links`: top-ups taken away again, and what names what."""

import os
from typing import Annotated

import typer

from console.commands.account.options import Key, Operator, Reason, TopUp


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    for name, command in (("reverse", reverse), ("chargeback", charge_back), ("transfer", transfer)):
        group.command(name, rich_help_panel="Top-ups")(command)
    group.command("links", rich_help_panel="Top-ups")(show_links)


def reverse(top_up: TopUp, reason: Reason, operator: Operator, key: Key = None) -> None:
    """Reverse a top-up, once.

    What of it is still there comes off the balance; what is used up becomes debt, and for three days nobody is cut
    for what that leaves them with.
    """
    from console.ordering import given_by, ordered
    from ledger.usecases.money.undoing import ReverseTopUp

    by = given_by(operator=operator, reason=reason, key=key)
    typer.echo(ordered(ReverseTopUp(top_up_position=top_up), by=by))


def charge_back(
    top_up: TopUp,
    reason: Reason,
    operator: Operator,
    fee: Annotated[str, typer.Option(help="What the bank takes for it, in currency units; we bear it.")] = "0",
    key: Key = None,
) -> None:
    """Book that the payer's bank took a top-up back, as `account reverse` does, and its fee."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.undoing import ChargeBack
    from ledger.values.money import micros_from_text

    command = ChargeBack(top_up_position=top_up, fee_micros=micros_from_text(fee))
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))


def transfer(
    top_up: TopUp,
    to_account: Annotated[str, typer.Argument(help="The account that it was meant for.")],
    reason: Reason,
    operator: Operator,
    key: Key = None,
) -> None:
    """Move a top-up that went to the wrong account to the right one, both sides in one transaction."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.undoing import TransferTopUp

    command = TransferTopUp(top_up_position=top_up, to_account=to_account)
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))


def show_links(position: Annotated[int, typer.Argument(min=1, help="An event's position in the ledger.")]) -> None:
    """Show what an event names, and what names it: what undid a top-up, corrected a debit, resolved a dispute."""
    from console.connection import finance_connection
    from projections.links import links_of

    with finance_connection(os.environ) as connection:
        links = links_of(connection, position=position)
    for link in links:
        typer.echo(f"position {link.position}, {link.relation.partition('/')[0]}, names position {link.original}")
    if not links:
        typer.echo(f"position {position} names nothing, and nothing names it")
