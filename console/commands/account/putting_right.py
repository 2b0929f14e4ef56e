"""`account refund`, `adjust`, `correct-debit`, `collect`, `write-off` and `close`."""

from typing import Annotated

import typer

from console.commands.account.options import Account, Amount, ApprovedBy, Channel, Key, Operator, Reason


def register(group: typer.Typer) -> None:
    """Add the commands to the group."""
    # So that an amount below zero is taken for an amount, not for an option.
    signed = {"ignore_unknown_options": True}
    for name, command in (
        ("refund", refund),
        ("adjust", adjust),
        ("correct-debit", correct_debit),
        ("collect", collect),
        ("write-off", write_off),
        ("close", close),
    ):
        group.command(name, rich_help_panel="Balance and debt", context_settings=signed)(command)


def refund(
    account: Account,
    amount: Amount,
    channel: Channel,
    reason: Reason,
    operator: Operator,
    approved_by: ApprovedBy = "",
    key: Key = None,
) -> None:
    """Pay some of the balance out; never more than there is."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.paying_out import Refund
    from ledger.values.money import micros_from_text

    command = Refund(account=account, amount_micros=micros_from_text(amount), channel=channel)
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key, approved_by=approved_by)))


def adjust(
    account: Account,
    amount: Amount,
    reason: Reason,
    operator: Operator,
    gift: Annotated[bool, typer.Option("--gift", help="Book it as a gift, not as an adjustment.")] = False,
    approved_by: ApprovedBy = "",
    key: Key = None,
) -> None:
    """Change the balance by hand: above zero in the consumer's favour, below zero against them.

    wattledger account adjust tenant-1 5.00 --reason goodwill --operator li
    """
    from console.ordering import given_by, ordered
    from ledger.usecases.money.putting_right import Adjust
    from ledger.values.money import micros_from_text

    bearer = "gifts" if gift else "adjustments"
    command = Adjust(account=account, amount_micros=micros_from_text(amount), bearer=bearer)  # type: ignore[arg-type]
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key, approved_by=approved_by)))


def correct_debit(
    debit: Annotated[int, typer.Argument(min=1, metavar="POSITION", help="The debit's position in the ledger.")],
    amount: Amount,
    reason: Reason,
    operator: Operator,
    approved_by: ApprovedBy = "",
    key: Key = None,
) -> None:
    """Give some of a debit back, as after a meter fault: of each of its lines a share, taxes included."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.putting_right import CorrectDebit
    from ledger.values.money import micros_from_text

    command = CorrectDebit(debit_position=debit, amount_micros=micros_from_text(amount))
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key, approved_by=approved_by)))


def collect(
    account: Account,
    amount: Amount,
    operator: Operator,
    channel: Channel = "kiosk",
    reason: Reason = "debt-paid",
    key: Key = None,
) -> None:
    """Take a payment on the account's debt, of a closed account too; the balance is not touched."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.paying_out import CollectDebt
    from ledger.values.money import micros_from_text

    command = CollectDebt(account=account, amount_micros=micros_from_text(amount), channel=channel)
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))


def write_off(
    account: Account,
    amount: Amount,
    reason: Reason,
    operator: Operator,
    approved_by: ApprovedBy = "",
    key: Key = None,
) -> None:
    """Give up some of what the account owes: its debt first, then a balance below zero."""
    from console.ordering import given_by, ordered
    from ledger.usecases.money.putting_right import WriteOff
    from ledger.values.money import micros_from_text

    command = WriteOff(account=account, amount_micros=micros_from_text(amount))
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key, approved_by=approved_by)))


def close(
    account: Account,
    reason: Reason,
    operator: Operator,
    channel: Annotated[str, typer.Option(help="How the rest goes out; kept as unclaimed if not given.")] = "",
    key: Key = None,
) -> None:
    """Close an account and settle it: the balance pays its debt, the rest goes out, less than a coin is rounded away.

    A balance below zero becomes debt. Debits that come late are booked still; closing again settles those.
    """
    from console.ordering import given_by, ordered
    from ledger.usecases.money.paying_out import CloseAccount

    command = CloseAccount(account=account, channel=channel)
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key)))
