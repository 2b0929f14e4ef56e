"""For the counter and operators: how accounts are topped up by themselves."""

import os
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.usecases.autopay import Saying

_Account = Annotated[str, typer.Argument(help="The account's code.")]
_Method = Annotated[str, typer.Option(help="The method's code.")]
_Amount = Annotated[str, typer.Argument(help="How much is topped up, in currency units: 25.00")]
_Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Your operator id.")]
_Reason = Annotated[str, typer.Option(help="Why, as a code such as asked or lost.")]


def register(app: typer.Typer) -> None:
    """Add the group `autopay`."""
    group = typer.Typer(help="Automatic top-ups: payment methods, schedules, thresholds.", no_args_is_help=True)
    for name, command in (
        ("bind", bind),
        ("unbind", unbind),
        ("schedule", schedule),
        ("threshold", threshold),
        ("caps", caps),
        ("end", end),
        ("show", show),
        ("charges", show_charges),
        ("settle", settle),
    ):
        group.command(name, context_settings={"ignore_unknown_options": True})(command)
    app.add_typer(group, name="autopay", rich_help_panel="Money")


def bind(
    account: _Account,
    method: Annotated[str, typer.Argument(help="A code for it, such as card-1.")],
    provider: Annotated[str, typer.Option(help="Who charges it: stripe, or another provider that is set up.")],
    token: Annotated[
        str,
        typer.Option(
            prompt="The provider's own id of it", hide_input=True, envvar="WATTLEDGER_METHOD_TOKEN",
            help="The provider's own id of it, such as pm_...: kept with personal data; asked for if not given.",
        ),
    ],
    operator: _Operator,
) -> None:  # fmt: skip
    """Bind a payment method to an account: what charges it comes from `schedule` and `threshold`."""
    from console.connection import opened_ledger, people_connection
    from console.payments import methods

    with people_connection(os.environ) as people, opened_ledger(os.environ) as ledger:
        position = methods.bind(
            people,
            ledger,
            by=_by(account, operator),
            method=method,
            provider=provider,
            token=token,
            reference_key=os.environ.get("WATTLEDGER_REFERENCE_KEY", ""),
        )
    _tell(account, f"{method} bound", position)


def unbind(account: _Account, method: Annotated[str, typer.Argument()], reason: _Reason, operator: _Operator) -> None:
    """Unbind a payment method: it is charged no more, and what charged it ends."""
    from console.connection import opened_ledger, people_connection
    from console.payments import methods

    with people_connection(os.environ) as people, opened_ledger(os.environ) as ledger:
        position = methods.unbind(people, ledger, by=_by(account, operator), method=method, reason=reason)
    _tell(account, f"{method} unbound", position)


def schedule(
    account: _Account,
    amount: _Amount,
    every: Annotated[str, typer.Option(help="day, week or month.")],
    from_date: Annotated[str, typer.Option("--from", help="The first local date: 2026-12-01; its day is kept.")],
    method: _Method,
    operator: _Operator,
) -> None:
    """Top an account up every day, week or month; replaces the schedule that there is."""
    from console.connection import opened_ledger
    from ledger.usecases.autopay import checked_every, set_schedule
    from ledger.values.money import micros_from_text

    with opened_ledger(os.environ) as ledger:
        position = set_schedule(
            ledger,
            by=_by(account, operator),
            method=method,
            amount_micros=micros_from_text(amount),
            every=checked_every(every),
            from_date=_date(from_date),
        )
    _tell(account, f"{amount} every {every} from {from_date}", position)


def threshold(
    account: _Account,
    amount: _Amount,
    below: Annotated[str, typer.Option(help="The balance below which it is, in currency units.")],
    method: _Method,
    operator: _Operator,
) -> None:
    """Top an account up whenever its balance is below an amount; replaces the threshold that there is."""
    from console.connection import opened_ledger
    from ledger.usecases.autopay import set_threshold
    from ledger.values.money import micros_from_text

    with opened_ledger(os.environ) as ledger:
        position = set_threshold(
            ledger,
            by=_by(account, operator),
            method=method,
            amount_micros=micros_from_text(amount),
            below_micros=micros_from_text(below),
        )
    _tell(account, f"{amount} below {below}", position)


def caps(
    account: _Account,
    operator: _Operator,
    day: Annotated[str, typer.Option(help="The most in a local day, in currency units.")],
    month: Annotated[str, typer.Option(help="The most in a local month, in currency units.")],
) -> None:
    """Cap what is charged by itself in a local day and month."""
    from console.connection import opened_ledger
    from ledger.usecases.autopay import set_caps
    from ledger.values.money import micros_from_text

    with opened_ledger(os.environ) as ledger:
        position = set_caps(
            ledger,
            by=_by(account, operator),
            day_micros=micros_from_text(day),
            month_micros=micros_from_text(month),
        )
    _tell(account, f"at most {day} a day and {month} a month", position)


def end(
    account: _Account,
    rhythm: Annotated[str, typer.Argument(help="schedule or threshold.")],
    reason: _Reason,
    operator: _Operator,
) -> None:
    """End the schedule or the threshold; the method stays bound."""
    from console.connection import opened_ledger
    from ledger.usecases.autopay import checked_rhythm, end_rhythm

    with opened_ledger(os.environ) as ledger:
        position = end_rhythm(ledger, by=_by(account, operator), rhythm=checked_rhythm(rhythm), reason=reason)
    _tell(account, f"{rhythm} ended", position)


def show(account: _Account) -> None:
    """Show what tops an account up by itself, and its newest charges."""
    from rich.console import Console

    from console.autopay_shown import charges_table, told
    from console.connection import opened_ledger, writer_connection
    from console.payments.charges import newest
    from ledger.usecases.accounts import account_of
    from ledger.usecases.autopay import autopay_of

    with opened_ledger(os.environ) as ledger:
        currency = account_of(ledger, account).currency
        autopay = autopay_of(ledger, account)
    with writer_connection(os.environ) as connection:
        rows = newest(connection, account=account, limit=20)
    for line in told(autopay, currency=currency):
        typer.echo(line)
    if rows:
        Console().print(charges_table(rows))


def show_charges(
    every: Annotated[bool, typer.Option("--all", help="Those that came to an end, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, the newest first.")] = 100,
) -> None:
    """Show the charges of all accounts that are open: to be asked for, to be told of, or unknown."""
    from rich.console import Console

    from console.autopay_shown import charges_table
    from console.connection import finance_connection
    from console.payments.charges import OPEN, newest

    with finance_connection(os.environ) as connection:
        rows = newest(connection, states=() if every else OPEN, limit=limit)
    if not rows:
        typer.echo("nothing was charged yet" if every else "no charge is open")
        return
    Console().print(charges_table(rows))


def settle(
    charge: Annotated[str, typer.Argument(help="Its code, as `autopay charges` shows it.")],
    reason: _Reason,
    operator: _Operator,
) -> None:
    """Say that the provider was asked what became of an unknown charge: it took no money, or was booked by hand.

    The account is topped up by itself again.
    """
    from console.connection import writer_connection
    from console.payments.charges import settle as settled

    with writer_connection(os.environ) as connection:
        settled(connection, charge, operator=operator, reason=reason, now=datetime.now(UTC))
    typer.echo(f"{charge}: settled by {operator}")


def _by(account: str, operator: str) -> "Saying":
    from ledger.usecases.autopay import Saying

    return Saying(account=account, operator=operator, now=datetime.now(UTC))


def _date(text: str) -> date:
    from ledger.values.errors import InvalidValue

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is no date; write it as 2026-12-01") from None


def _tell(account: str, what: str, position: int) -> None:
    typer.echo(f"{account}: {what} (position {position})" if position else f"{account}: nothing changed")
