"""For operators: `relays` and what belongs to it: orders justified, cuts that wait, rules, relays forced on."""

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from console.batches import tell_each

if TYPE_CHECKING:
    from ledger.store.application import Ledger

_Site = Annotated[str, typer.Argument(help="The site's code.")]
_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]
_Supplies = Annotated[list[str], typer.Argument(help="The supply points' codes.")]
_Reason = Annotated[str, typer.Option(help="Why, as a code; no personal data.")]
_Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Who does it: an id, never a name.")]


def relays_group() -> typer.Typer:
    """Return `relays`, which shows every relay where no command is given."""
    from console.commands.relays import show_relays

    group = typer.Typer(help="What is on and what is off, and why.", invoke_without_command=True)

    @group.callback()
    def relays(context: typer.Context) -> None:
        """Show every supply's relay: what is wanted, what was read back, and which locks hold it open."""
        if context.invoked_subcommand is None:
            show_relays()

    group.command("justify")(justify)
    group.command("force-on")(force_on)
    group.command("end-forcing")(end_forcing)
    batch = typer.Typer(help="Cuts of a site that wait for an operator.", no_args_is_help=True)
    batch.command("list")(list_held)
    batch.command("release")(release)
    batch.command("dismiss")(dismiss)
    group.add_typer(batch, name="held-batch")
    return group


def justify(
    supply: _Supply,
    order: Annotated[int | None, typer.Option(help="The order's sequence; the newest if not given.")] = None,
) -> None:
    """Take the decision behind an order again, from the ledger alone, and say whether it holds."""
    from console.connection import finance_connection
    from ledger.values.money import text_from_micros
    from projections.justify import justified

    with finance_connection(os.environ) as connection:
        found = justified(connection, supply=supply, sequence=order)
    issued = found.order
    typer.echo(
        f"order {issued.sequence} to {issued.action} {supply} for {issued.reason}, at position"
        f" {issued.ledger_position}, {issued.issued_at.isoformat()}"
    )
    typer.echo(
        f"  {issued.account} had {text_from_micros(issued.balance_micros)}, cut at or below"
        f" {text_from_micros(issued.threshold_micros)}; locks: {', '.join(issued.locks) or 'none'};"
        f" read at {'-' if issued.reading_at is None else issued.reading_at.isoformat()}"
    )
    for difference in found.differences:
        typer.echo(f"  ✗ {difference}")
    typer.echo("  ✓ the same is decided again" if found.holds else "  this order is not justified by the ledger")
    if not found.holds:
        raise typer.Exit(1)


def force_on(
    supplies: _Supplies,
    until: Annotated[str, typer.Option(help="Until when (ISO 8601 with zone), a month away at most.")],
    reason: _Reason,
    operator: _Operator = "console",
) -> None:
    """Let neither credit nor a timetable keep supplies off for a while; other locks and consent count."""
    from ledger.usecases import relays
    from ledger.values.instants import parse_instant

    end = parse_instant(until)

    def forced(ledger: "Ledger", supply: str) -> int:
        now = datetime.now(UTC)
        return relays.force_on(ledger, supply=supply, reason=reason, operator=operator, until=end, now=now)

    tell_each(supplies, forced, f"forced on until {end.isoformat()}")


def end_forcing(supplies: _Supplies, reason: _Reason = "done", operator: _Operator = "console") -> None:
    """Let credit and timetables count again for supplies that were forced on."""
    from ledger.usecases import relays

    def ended(ledger: "Ledger", supply: str) -> int:
        return relays.end_forcing(ledger, supply=supply, reason=reason, operator=operator, now=datetime.now(UTC))

    tell_each(supplies, ended, "no longer forced on")


def list_held() -> None:
    """Show the cuts that wait: so many of a site were due at once that somebody has to look first."""
    from console.connection import finance_connection
    from projections.worklist import HELD_BATCH, items

    with finance_connection(os.environ) as connection:
        found = items(connection, kind=HELD_BATCH)
    for item in found:
        typer.echo(f"{item.subject}: {item.detail}, since {item.since.isoformat()}")
    if not found:
        typer.echo("no cuts wait for anybody")


def release(site: _Site, reason: _Reason, operator: _Operator = "console") -> None:
    """Let a site's held cuts happen, where they are still due when they are decided on."""
    from console.connection import opened_ledger
    from ledger.usecases.switching import cuts_decided, release_cuts

    with opened_ledger(os.environ) as ledger:
        position = release_cuts(ledger, site=site, reason=reason, operator=operator, now=datetime.now(UTC))
        supplies = cuts_decided(ledger, position=position)
    typer.echo(f"{site}: released (position {position}): {', '.join(supplies)}")


def dismiss(
    site: _Site,
    reason: _Reason,
    hours: Annotated[int, typer.Option(min=1, max=744, help="For how long nobody of them is cut.")] = 24,
    operator: _Operator = "console",
) -> None:
    """Cut nobody of a site's held batch for a while."""
    from console.connection import opened_ledger
    from ledger.usecases.switching import cuts_decided, dismiss_cuts

    with opened_ledger(os.environ) as ledger:
        position = dismiss_cuts(
            ledger,
            site=site,
            reason=reason,
            operator=operator,
            now=datetime.now(UTC),
            spare=timedelta(hours=hours),
        )
        supplies = cuts_decided(ledger, position=position)
    typer.echo(f"{site}: dismissed (position {position}), spared for {hours} h: {', '.join(supplies)}")


def set_rules(
    site: _Site,
    rules: Annotated[
        list[str] | None, typer.Argument(help="NAME=NUMBER, such as warning_lead_s=3600; none shows what holds.")
    ] = None,
    operator: _Operator = "console",
) -> None:
    """Set the rules by which a site switches, from now on; what is not given stays. Show what holds."""
    import msgspec

    from console.connection import opened_ledger
    from ledger.usecases.switching import set_switching_rules, switching_rules

    now = datetime.now(UTC)
    changes = dict(_rule(text) for text in rules or ())
    with opened_ledger(os.environ) as ledger:
        if changes:
            standing, _ = set_switching_rules(
                ledger, site=site, effective_from=now, operator=operator, now=now, **changes
            )
        else:
            standing = switching_rules(ledger, site=site, at=now)
    for name, value in msgspec.structs.asdict(standing).items():
        typer.echo(f"{site}: {name} = {value}")


def _rule(text: str) -> tuple[str, int]:
    from ledger.values.errors import InvalidValue

    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise InvalidValue(f"rule {text!r} is not NAME=NUMBER, such as warning_lead_s=3600")
    return name, int(number)
