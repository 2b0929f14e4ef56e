"""`account dispute` and `account resolve`: while something is disputed nobody is cut for credit."""

from typing import Annotated

import typer

from console.commands.account.options import Account, Amount, Key, Operator, Reason

_Dispute = Annotated[str, typer.Option(help="The dispute's code, yours to choose: d-2026-17")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    group.command("dispute", rich_help_panel="Disputes")(dispute)
    group.command("resolve", rich_help_panel="Disputes")(resolve)


def dispute(
    account: Account,
    amount: Amount,
    dispute: _Dispute,
    reason: Reason,
    operator: Operator,
    about: Annotated[int, typer.Option(metavar="POSITION", help="The event that is disputed; 0: none.")] = 0,
    key: Key = None,
) -> None:
    """Open a dispute: until it is resolved nobody is cut for credit, and what is disputed counts as not used."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.disputing import OpenDispute
    from ledger.values.money import micros_from_text

    command = OpenDispute(
        account=account, dispute=dispute, amount_micros=micros_from_text(amount), about_position=about
    )
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))


def resolve(
    account: Account,
    dispute: _Dispute,
    reason: Reason,
    operator: Operator,
    outcome: Annotated[str, typer.Option(help="upheld, rejected or withdrawn.")],
    remedy: Annotated[
        int, typer.Option(metavar="POSITION", help="What put it right, for one upheld: see `account correct-debit`.")
    ] = 0,
    key: Key = None,
) -> None:
    """Resolve a dispute; one that is upheld names the correction or adjustment that put it right."""
    import msgspec

    from console.errors import ConsoleError
    from console.ordering import given_by, ordered
    from ledger.domain.account_facts import Outcome
    from ledger.usecases.money.disputing import ResolveDispute

    try:
        checked: Outcome = msgspec.convert(outcome, Outcome)
    except msgspec.ValidationError:
        raise ConsoleError(f"outcome {outcome!r} is not known; use upheld, rejected or withdrawn") from None
    command = ResolveDispute(account=account, dispute=dispute, outcome=checked, remedy_position=remedy)
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))
