"""For the counter and for finance: top-ups, balances, the trial balance."""

import os
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import uuid4

import typer


def register(app: typer.Typer) -> None:
    """Add `top-up`, `balances` and `trial-balance`."""
    # So that an amount below zero is taken for an amount, and told to be wrong, not for an option.
    app.command("top-up", rich_help_panel="Money", context_settings={"ignore_unknown_options": True})(pay_in)
    app.command("balances", rich_help_panel="Money")(show_balances)
    app.command("trial-balance", rich_help_panel="Finance")(show_trial_balance)


def pay_in(
    account: Annotated[str, typer.Argument(help="The account's code.")],
    amount: Annotated[str, typer.Argument(help="How much, in currency units: 25.00")],
    channel: Annotated[str, typer.Option(help="How the money came in.")] = "kiosk",
    key: Annotated[
        str | None,
        typer.Option(
            help="The idempotency key: the same key books once, however often it is sent; new if not given."
        ),
    ] = None,
    reference: Annotated[
        str,
        typer.Option(help="The channel's own reference: kept with personal data, in the ledger as a keyed hash."),
    ] = "",
    is_cleared: Annotated[
        bool, typer.Option("--clearing", help="The channel's provider has the money still, and will pay it out.")
    ] = False,
    agent: Annotated[str, typer.Option(help="The agent who took the money in: it is their sale.")] = "",
    consent: Annotated[
        bool,
        typer.Option("--consent", help="The consumer says that their appliances are off and may be switched on."),
    ] = False,
) -> None:
    """Top an account up. A supply that was off for lack of credit is switched on where its site says so.

    Where the site asks for the consumer's consent, --consent gives it with the top-up.
    """
    from console.connection import opened_ledger
    from console.credit import told_after_top_up, told_application
    from ledger.usecases.accounts import account_of, top_up
    from ledger.values.money import micros_from_text, text_from_micros

    amount_micros = micros_from_text(amount)
    key = str(uuid4()) if key is None else key
    with opened_ledger(os.environ) as ledger:
        currency = account_of(ledger, account).currency
        booked = top_up(
            ledger,
            account=account,
            amount_micros=amount_micros,
            channel=channel,
            key=key,
            now=datetime.now(UTC),
            reference_hash=_kept_reference(account, reference),
            is_cleared=is_cleared,
            consent=consent,
            agent=agent,
        )
        lines = told_application(ledger, booked.position)
        stands = told_after_top_up(ledger, account=account, now=datetime.now(UTC))
    what = "was booked before, nothing changed" if booked.is_repeat else "booked"
    shown = f"{text_from_micros(amount_micros)} {currency}"
    typer.echo(f"{account}: {shown} {what} (position {booked.position}, key {key})")
    if lines:
        typer.echo("  went to " + ", ".join(f"{what} {paid}" for what, paid in lines))
    for line in stands:
        typer.echo(f"  {line}")


def _kept_reference(account: str, reference: str) -> str:
    """Keep an outside reference with personal data and return its keyed hash, for the event; nothing for none."""
    if not reference:
        return ""
    from console.connection import people_connection
    from ledger.store.people import keep_reference
    from ledger.values.outside import reference_hash

    hashed = reference_hash(reference, key_hex=os.environ.get("WATTLEDGER_REFERENCE_KEY", ""))
    with people_connection(os.environ) as connection:
        keep_reference(connection, account=account, reference=reference, reference_hash=hashed)
    return hashed


def show_balances() -> None:
    """Show every account: its balance, what was paid in, what was debited, and the energy used."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.queries import balances

    with finance_connection(os.environ) as connection:
        rows = balances(connection)
    table = Table("account", "site")
    for title in ("balance", "paid in", "debited"):
        table.add_column(title, justify="right")
    table.add_column("currency")
    table.add_column("kWh", justify="right")
    for row in rows:
        style = "red" if row.balance <= 0 else ""
        kwh = row.usage_milliwh.scaleb(-6)
        table.add_row(
            row.account,
            row.site,
            f"{row.balance:,.6f}",
            f"{row.credited:,.6f}",
            f"{row.debited:,.6f}",
            row.currency,
            f"{kwh:,.3f}",
            style=style,
        )
    Console().print(table)


def show_trial_balance(
    at: Annotated[int, typer.Option(min=0, help="At this ledger position; the newest projected one if 0.")] = 0,
    day: Annotated[str, typer.Option(help="At the end of this day (UTC, by recording): 2026-07-31.")] = "",
) -> None:
    """Show every account code's sum; together they are zero. Exit code 1 where they are not."""
    from rich.console import Console

    from console.connection import finance_connection
    from console.trial_balance import trial_balance_table
    from ledger.values.errors import InvalidValue
    from projections.queries import currencies, trial_balance, trial_balance_at, trial_balance_of_day

    if at and day:
        raise InvalidValue("--at and --day name two different trial balances; give one of them")
    last = _day(day) if day else None
    with finance_connection(os.environ) as connection:
        if last is not None:
            found = trial_balance_of_day(connection, day=last)
        else:
            found = trial_balance_at(connection, position=at) if at else trial_balance(connection)
        amounts = " and ".join(currencies(connection))
    title = f"amount in {amounts}" if amounts else "amount"
    if day:
        Console().print(f"At the end of {day} (UTC), as far as events are projected:")
    Console().print(trial_balance_table(found, code_title="code", amount_title=title))
    raise typer.Exit(0 if found.total == 0 else 1)


def _day(text: str) -> date:
    from ledger.values.errors import InvalidValue

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(f"{text!r} is no day; write it like 2026-07-31") from None
