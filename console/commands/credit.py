"""Credit: policies, where accounts stand by them, emergency credit, debt, payers, and what is done once a day."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from console.commands.account.options import Account, Amount, ApprovedBy, Key, Operator, Reason

_File = Annotated[Path, typer.Argument(help="The policy file (TOML); see docs/credit.md.")]
_Site = Annotated[str, typer.Argument(help="The site's code.")]
_Class = Annotated[str, typer.Option("--class", help="Only for accounts of this class.")]
_Of = Annotated[str, typer.Option("--account", help="Only for this account.")]


def register(app: typer.Typer) -> None:
    """Add the groups `credit` and `payer`."""
    group = typer.Typer(help="Credit: on what terms accounts are supplied.", no_args_is_help=True)
    group.command("show")(show)
    group.command("take-emergency")(take_emergency)
    group.command("agree-debt")(agree_debt)
    group.command("daily")(daily)
    policies = typer.Typer(help="Credit policies: check a file, set it, show what holds.", no_args_is_help=True)
    policies.command("check")(check)
    policies.command("set")(set_policy)
    policies.command("withdraw")(withdraw)
    policies.command("show")(show_policies)
    group.add_typer(policies, name="policy")
    app.add_typer(group, name="credit", rich_help_panel="Money")
    payers = typer.Typer(help="Payers: who pays for several accounts at once.", no_args_is_help=True)
    payers.command("set")(set_payer)
    payers.command("top-up")(pay_for_all)
    app.add_typer(payers, name="payer", rich_help_panel="Money")


def check(file: _File) -> None:
    """Check a policy file and name every error in it."""
    from console.tariffs.files import text_of
    from ledger.domain.credit.policy_file import read_policy

    read_policy(text_of(file))
    typer.echo(f"{file}: the credit policy is good")


def set_policy(
    site: _Site,
    file: _File,
    operator: Operator,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when it holds; now if not given.")] = "",
    account_class: _Class = "",
    account: _Of = "",
) -> None:
    """Set a policy for a site, a class of accounts there, or one account."""
    from console.tariffs.files import text_of
    from ledger.domain.credit.policy_file import read_policy

    _set(site, read_policy(text_of(file)), operator, since, account_class=account_class, account=account)


def withdraw(
    site: _Site,
    operator: Operator,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when; now if not given.")] = "",
    account_class: _Class = "",
    account: _Of = "",
) -> None:
    """Withdraw a policy: what is less particular holds again."""
    _set(site, None, operator, since, account_class=account_class, account=account)


def _set(site: str, policy: object, operator: str, since: str, *, account_class: str, account: str) -> None:
    from console.connection import opened_ledger
    from console.tariffs.files import instant_or
    from ledger.domain.credit.policy import CreditPolicy
    from ledger.usecases.credit.policies import set_credit_policy

    now = datetime.now(UTC)
    effective_from = instant_or(since, now)
    with opened_ledger(os.environ) as ledger:
        position = set_credit_policy(
            ledger,
            site=site,
            policy=policy if isinstance(policy, CreditPolicy) else None,
            effective_from=effective_from,
            operator=operator,
            now=now,
            account_class=account_class,
            account=account,
        )
    scope = f"account {account}" if account else f"class {account_class}" if account_class else "the site"
    what = f"set from {effective_from:%Y-%m-%d %H:%M:%S} UTC (position {position})" if position else "as it stands"
    typer.echo(f"{site}: credit policy of {scope}: {what}")


def show_policies(site: _Site) -> None:
    """Show every policy of a site that was set, as the file that says it."""
    from console.connection import opened_ledger
    from ledger.domain.credit.policy import by_settings
    from ledger.domain.credit.policy_text import policy_text
    from ledger.domain.site import in_force
    from ledger.usecases.conditions import check_site
    from ledger.usecases.credit.policies import policies_of

    with opened_ledger(os.environ) as ledger:
        check_site(ledger, site)
        policies, settings = policies_of(ledger, site)
    if not policies:
        typer.echo(f"# {site}: none was set; by its settings:\n")
        typer.echo(policy_text(by_settings(in_force(settings, datetime.now(UTC)))))
    for row in policies:
        scope = f"account {row.account}" if row.account else f"class {row.account_class}" if row.account_class else ""
        typer.echo(f"# {site} {scope or 'the site'}, from {row.effective_from:%Y-%m-%d %H:%M:%S} UTC, {row.operator}")
        typer.echo("# withdrawn\n" if row.policy is None else policy_text(row.policy))


def show(account: Account) -> None:
    """Show where an account stands: its line, warnings, emergency credit, debt, and what it needs to be back on."""
    from console.connection import finance_connection, opened_ledger
    from console.credit import told_credit, told_days_left
    from ledger.usecases.credit.standing import account_credit
    from projections.habits import credit_runs_out_at

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        credit = account_credit(ledger, account=account, now=now)
    with finance_connection(os.environ) as connection:
        runs_out_at = credit_runs_out_at(
            connection, account=account, spare_micros=credit.standing.spare_micros, now=now
        )
    days_left = told_days_left(runs_out_at, now, credit.policy.zone)
    for name, told in (*told_credit(credit), ("runs out", days_left)):
        typer.echo(f"{name + ':':<24}{told}")


def take_emergency(account: Account, operator: Operator, channel: str = "kiosk", key: Key = None) -> None:
    """Take the emergency credit that an account is offered."""
    from console.ordering import given_by, ordered
    from ledger.usecases.credit.commands import TakeEmergencyCredit

    command = TakeEmergencyCredit(account=account, channel=channel)
    typer.echo(ordered(command, by=given_by(operator=operator, reason="asked-for", key=key)))


def agree_debt(
    account: Account,
    amount: Amount,
    reason: Reason,
    operator: Operator,
    is_brought_forward: Annotated[
        bool, typer.Option("--brought-forward", help="Debt from before this ledger, not what its balance is below 0.")
    ] = False,
    approved_by: ApprovedBy = "",
    key: Key = None,
) -> None:
    """Agree on a debt, which the policy repays: what the balance is below zero, or what was owed before."""
    from console.ordering import given_by, ordered
    from ledger.usecases.credit.commands import AgreeDebt
    from ledger.values.money import micros_from_text

    command = AgreeDebt(
        account=account,
        amount_micros=micros_from_text(amount),
        source="brought-forward" if is_brought_forward else "balance",
    )
    typer.echo(ordered(command, by=given_by(operator=operator, reason=reason, key=key, approved_by=approved_by)))


def daily(site: _Site) -> None:
    """Do what is due once a local day: instalments, charges that accrue while off, reviews of protected supplies."""
    from console.connection import finance_connection, opened_ledger
    from console.daily import credit_of_the_day

    with finance_connection(os.environ) as connection, opened_ledger(os.environ) as ledger:
        done = credit_of_the_day(connection, ledger, site=site, now=datetime.now(UTC))
    typer.echo(
        f"{site}: {done.instalments} instalments collected, {done.accrued} charges accrued,"
        f" {done.lapsed} reviews of protected supplies due"
    )
    for refusal in done.refusals:
        typer.secho(refusal, fg=typer.colors.RED, err=True)
    raise typer.Exit(1 if done.refusals else 0)


def set_payer(
    payer: Annotated[str, typer.Argument(help="The payer's code, yours to choose.")],
    accounts: Annotated[list[str], typer.Argument(help="Every account that they pay for, from here on.")],
    operator: Operator,
) -> None:
    """Say whom a payer pays for; what was said before is replaced."""
    from console.connection import opened_ledger
    from ledger.usecases.credit.payers import set_payer_accounts

    with opened_ledger(os.environ) as ledger:
        set_payer_accounts(ledger, payer=payer, accounts=accounts, operator=operator, now=datetime.now(UTC))
    typer.echo(f"{payer} pays for {len(accounts)} accounts")


def pay_for_all(
    payer: Annotated[str, typer.Argument(help="The payer's code.")],
    each: Annotated[str, typer.Option(help="What each of their accounts gets, in currency units.")],
    channel: Annotated[str, typer.Option(help="How the money came in.")] = "bank",
    key: Key = None,
) -> None:
    """Top up every account of a payer in one transaction: all of them, or none."""
    from uuid import uuid4

    from console.connection import opened_ledger
    from ledger.usecases.credit.payers import accounts_of_payer, top_up_all
    from ledger.values.money import micros_from_text, text_from_micros

    key = str(uuid4()) if key is None else key
    each_micros = micros_from_text(each)
    with opened_ledger(os.environ) as ledger:
        amounts = dict.fromkeys(accounts_of_payer(ledger, payer), each_micros)
        booked = top_up_all(
            ledger, payer=payer, amounts_micros=amounts, channel=channel, key=key, now=datetime.now(UTC)
        )
    what = "was booked before, nothing changed" if booked.is_repeat else "booked"
    total = text_from_micros(each_micros * len(amounts))
    typer.echo(f"{payer}: {total} for {len(amounts)} accounts {what} (position {booked.position}, key {key})")
