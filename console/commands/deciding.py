"""`proposals` and `policy`: what takes two people, what waits for the second, and who decided."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from console.commands.account.options import Operator, ReasonCode

_Proposal = Annotated[str, typer.Argument(help="The proposal's code, as `proposals list` shows it.")]
_PANEL = "Finance"


def register(app: typer.Typer) -> None:
    """Add the groups `proposals` and `policy`."""
    proposals = typer.Typer(help="Commands that wait for a second person.", no_args_is_help=True)
    for command, name in ((list_proposals, "list"), (approve, "approve"), (reject, "reject")):
        proposals.command(name)(command)
    app.add_typer(proposals, name="proposals", rich_help_panel=_PANEL)
    policy = typer.Typer(help="What one person may decide alone.", no_args_is_help=True)
    policy.command("four-eyes")(four_eyes)
    app.add_typer(policy, name="policy", rich_help_panel=_PANEL)


def list_proposals(
    every: Annotated[bool, typer.Option("--all", help="Show those that are over, too.")] = False,
) -> None:
    """List the commands that wait for a second person, with who proposed them and until when."""
    from rich.console import Console
    from rich.table import Table

    from console.connection import finance_connection
    from projections.proposals import proposals

    with finance_connection(os.environ) as connection:
        rows = proposals(connection, now=datetime.now(UTC), every=every)
    table = Table("proposal", "what", "proposed by", "until", "outcome")
    for row in rows:
        who = f" by {row.decided_by}" if row.decided_by else ""
        table.add_row(
            row.proposal, row.summary, row.proposed_by, f"{row.expires_at:%Y-%m-%d %H:%M}", f"{row.outcome}{who}"
        )
    Console(highlight=False).print(table if rows else "no proposal waits for a decision")


def approve(proposal: _Proposal, operator: Operator) -> None:
    """Approve what another person proposed; it is carried out at once, and both of you are in the event."""
    from console.connection import opened_ledger
    from ledger.usecases.money.proposals import approve as approve_proposal

    with opened_ledger(os.environ) as ledger:
        booked = approve_proposal(ledger, proposal=proposal, operator=operator, now=datetime.now(UTC))
    what = "was approved before, nothing changed" if booked.is_repeat else "approved and carried out"
    typer.echo(f"{proposal}: {what} (position {booked.position})")


def reject(proposal: _Proposal, operator: Operator, reason: ReasonCode) -> None:
    """Reject a proposal, or take your own back; nothing is carried out."""
    from console.connection import opened_ledger
    from ledger.usecases.money.proposals import reject as reject_proposal

    with opened_ledger(os.environ) as ledger:
        position = reject_proposal(ledger, proposal=proposal, operator=operator, reason=reason, now=datetime.now(UTC))
    typer.echo(f"{proposal}: rejected (position {position})")


def four_eyes(
    operator: Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Your operator id, to change it.")] = "",
    approved_by: Annotated[str, typer.Option(help="Who approved the change; needed after the first one.")] = "",
    limit: Annotated[str | None, typer.Option(help="What one person decides alone, in currency units.")] = None,
    tariffs: Annotated[
        bool | None,
        typer.Option("--tariffs/--no-tariffs", help="Two people for a new version of a tariff that has billed."),
    ] = None,
    site: Annotated[str, typer.Option(help="For this site only; the whole ledger if not given.")] = "",
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Since when; now if not given.")] = "",
) -> None:
    """Show what takes two people, or change it with --limit, --tariffs and --operator.

    Adjustments, refunds, debits given back and write-offs above the limit, and new versions of tariffs that have
    billed somebody: one proposes, another approves.
    """
    from console.connection import opened_ledger
    from console.errors import ConsoleError
    from ledger.usecases.money import limits
    from ledger.values.instants import parse_instant
    from ledger.values.money import micros_from_text, text_from_micros

    now = datetime.now(UTC)
    is_change = limit is not None or tariffs is not None
    if is_change and not operator:
        raise ConsoleError("say who changes it: --operator (or WATTLEDGER_OPERATOR)")
    with opened_ledger(os.environ) as ledger:
        if is_change:
            standing = limits.change_four_eyes(
                ledger,
                effective_from=parse_instant(since) if since else now,
                operator=operator,
                approved_by=approved_by,
                now=now,
                site=site,
                limit_micros=None if limit is None else micros_from_text(limit),
                tariffs=tariffs,
            )
        else:
            standing = limits.four_eyes(ledger, now=now, site=site)
    whose = f"site {standing.site}" if standing.site else "the ledger"
    prices = "two people" if standing.tariffs else "one person"
    typer.echo(
        f"{whose}: one person decides up to {text_from_micros(standing.limit_micros)};"
        f" {prices} for a new version of a tariff that has billed"
    )
