"""For operators: sites and supply points."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from console.supplies import commands
from console.switching import set_rules
from console.timetables import timetable_group

_PANEL = "Operators"
_From = Annotated[str, typer.Option("--from", help="Since when it holds (ISO 8601 with zone); now if not given.")]


def register(app: typer.Typer) -> None:
    """Add `site set`, `supply add` and the commands of a supply point's life."""
    site = typer.Typer(help="Sites: how they warn and reconnect.", no_args_is_help=True)
    site.command("set")(set_site)
    site.command("rules")(set_rules)
    site.add_typer(timetable_group(), name="timetable")
    supply = typer.Typer(help="Supply points: where meters measure what accounts pay for.", no_args_is_help=True)
    supply.command("add")(add_supply)
    commands.register(supply)
    for name, group in (("site", site), ("supply", supply)):
        app.add_typer(group, name=name, rich_help_panel=_PANEL)


def set_site(
    site: Annotated[str, typer.Argument(help="The site's code.")],
    reconnection: Annotated[
        str | None,
        typer.Option(
            help="automatic, confirm (the consumer consents first) or arm (the meter lets them close);"
            " as it stands if not given, confirm for a new site."
        ),
    ] = None,
    warning_balance: Annotated[
        str | None,
        typer.Option(
            help="Warn below this balance, in currency units; as it stands if not given, 10 for a new site."
        ),
    ] = None,
    landlord: Annotated[
        str | None,
        typer.Option(help="The account that pays for what is vacant; as it stands if not given, '' for none."),
    ] = None,
    requires_commissioning: Annotated[
        bool | None,
        typer.Option(
            help="Whether no supply point is cut for credit before it was commissioned; no for a new site.",
        ),
    ] = None,
    since: _From = "",
) -> None:
    """Set how a site reconnects after a top-up, and when it warns of a low balance; show what holds then."""
    from console.connection import opened_ledger
    from ledger.usecases.sites import change_site_settings, checked_reconnection
    from ledger.values.money import micros_from_text, text_from_micros

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        outcome = change_site_settings(
            ledger,
            site=site,
            reconnection=None if reconnection is None else checked_reconnection(reconnection),
            warning_balance_micros=None if warning_balance is None else micros_from_text(warning_balance),
            landlord=landlord,
            requires_commissioning=requires_commissioning,
            effective_from=_instant(since, now),
            now=now,
        )
    stands = outcome.settings
    what = f"position {outcome.position}" if outcome.position else "nothing changed"
    vacant = f", {stands.landlord} pays for what is vacant" if stands.landlord else ""
    if stands.requires_commissioning:
        vacant += ", cut for credit only once commissioned"
    typer.echo(
        f"site {site}: reconnection {stands.reconnection}, warning below"
        f" {text_from_micros(stands.warning_balance_micros)}{vacant},"
        f" since {stands.effective_from.isoformat()} ({what})"
    )


def add_supply(  # noqa: PLR0913, PLR0917 - each is an option of the command
    supply: Annotated[str, typer.Argument(help="The supply point's code.")],
    site: Annotated[str, typer.Option(help="The site it belongs to.")],
    concentrator: Annotated[str, typer.Option(help="The concentrator that reads its meter.")],
    meter: Annotated[str, typer.Option(help="The meter's serial, or the id that interval files use.")],
    account: Annotated[str, typer.Option(help="Who pays; opened if it is not there.")],
    tariff: Annotated[str, typer.Option(help="The published tariff that prices it.")],
    opening_kwh: Annotated[
        str, typer.Option(help="The meter's register now, in kWh; a new meter's, 0, if not given.")
    ] = "0",
    max_power_w: Annotated[
        int, typer.Option(min=1, help="What the meter itself can count, in watts; times its transformers' product.")
    ] = 20_000,
    limit_w: Annotated[
        int,
        typer.Option(
            min=0, help="The supply's own limit in watts, as its main switch; holds a mistyped ratio. 0: none."
        ),
    ] = 0,
    profile: Annotated[str, typer.Option(help="The meter's profile; nem12 for interval files.")] = "acrel_ddsy1352",
    currency: Annotated[
        str | None, typer.Option(help="The currency of a new account; the tariff's if not given.")
    ] = None,
    account_class: Annotated[
        str, typer.Option("--class", metavar="CLASS", help="At the tariff's prices for this account class.")
    ] = "",
    contracted_kw: Annotated[str, typer.Option(metavar="KW", help="Its contracted power, if any.")] = "0",
    multiplier: Annotated[str, typer.Option(help="Its transformers' product, such as 40 or 200/3.")] = "1",
    since: _From = "",
) -> None:
    """Register a supply point, install its meter, let an account occupy it, and assign a tariff.

    What is done already is left as it is, so that a command which broke off can be given again; what stands
    differently from what is asked for is refused, and then nothing is done.
    """
    from console.connection import opened_ledger
    from console.installing import meter_facts
    from ledger.rating.bill import watts_from_text
    from ledger.usecases.equip import SupplyPoint, equip
    from ledger.values.energy import milliwh_from_text
    from ledger.values.instants import parse_instant

    wanted = SupplyPoint(
        supply=supply,
        site=site,
        concentrator=concentrator,
        meter=meter_facts(serial=meter, profile=profile, max_power_w=max_power_w, limit_w=limit_w),
        account=account,
        currency=currency,
        tariff=tariff,
        account_class=account_class,
        contracted_w=watts_from_text(contracted_kw),
        multiplier=multiplier,
        opening_milliwh=milliwh_from_text(opening_kwh),
        since=parse_instant(since) if since else None,
    )
    with opened_ledger(os.environ) as ledger:
        for done in equip(ledger, wanted, now=datetime.now(UTC)):
            typer.echo(f"{supply}: {done}")


def _instant(text: str, now: datetime) -> datetime:
    from ledger.values.instants import parse_instant

    return parse_instant(text) if text else now
