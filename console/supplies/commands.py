"""For operators: the life of a supply point after it was added — exchanges, multipliers, moves, and what it was."""

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from console.commands.commissioning import commissioned
from console.supplies.protecting import lift_protection, protect

_Supply = Annotated[str, typer.Argument(help="The supply point's code.")]
_At = Annotated[str, typer.Option("--at", help="When it happened (ISO 8601 with zone); now if not given.")]
_Register = Annotated[
    str,
    typer.Option("--register-kwh", help="The meter's own register then, in kWh; apportioned there if not given."),
]
_Closing = Annotated[
    str,
    typer.Option("--closing-kwh", help="The old meter's last register, in kWh; 'unread' where nobody could read it."),
]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `supply`."""
    for name, command in (
        ("exchange", exchange),
        ("remove", remove),
        ("install", install),
        ("multiplier", multiplier),
        ("move-in", move_in),
        ("move-out", move_out),
        ("landlord", landlord),
        ("concentrator", concentrator),
        ("commissioned", commissioned),
        ("protect", protect),
        ("lift-protection", lift_protection),
        ("show", show),
    ):
        group.command(name)(command)


def exchange(
    supply: _Supply,
    meter: Annotated[str, typer.Option(help="The new meter's serial.")],
    closing_kwh: _Closing,
    opening_kwh: Annotated[str, typer.Option(help="The new meter's register, in kWh.")] = "0",
    at: _At = "",
    max_power_w: Annotated[int, typer.Option(min=1, help="What the new meter can carry, in watts.")] = 20_000,
    profile: Annotated[str, typer.Option(help="The new meter's profile.")] = "acrel_ddsy1352",
    multiplier: Annotated[str, typer.Option(help="Its transformers' product; as it stands if not given.")] = "",
) -> None:
    """Exchange a meter: the old one is billed to its closing register, the new one from its opening register.

    Nothing is compared across the two. Readings of the old serial after the exchange are kept as strays, and billed
    to nobody.
    """
    from console.connection import opened_ledger
    from console.installing import meter_facts
    from ledger.usecases.supply_life import exchange_meter
    from ledger.values.energy import milliwh_from_text

    now = datetime.now(UTC)
    facts = meter_facts(serial=meter, profile=profile, max_power_w=max_power_w)
    with opened_ledger(os.environ) as ledger:
        position = exchange_meter(
            ledger,
            supply=supply,
            meter=facts,
            at=_instant(at, now),
            closing_milliwh=_closing(closing_kwh),
            opening_milliwh=milliwh_from_text(opening_kwh),
            multiplier=multiplier or None,
            now=now,
        )
    typer.echo(f"{supply}: meter {meter} from now on (position {position}); settled with its next reading")


def remove(supply: _Supply, closing_kwh: _Closing, at: _At = "") -> None:
    """Remove the meter: it is billed to its closing register, and measures nothing from then on."""
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import remove_meter

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        position = remove_meter(
            ledger, supply=supply, at=_instant(at, now), closing_milliwh=_closing(closing_kwh), now=now
        )
    typer.echo(f"{supply}: no meter any more (position {position})")


def install(
    supply: _Supply,
    meter: Annotated[str, typer.Option(help="The meter's serial.")],
    opening_kwh: Annotated[str, typer.Option(help="The meter's register, in kWh.")] = "0",
    at: _At = "",
    max_power_w: Annotated[int, typer.Option(min=1, help="What the meter can carry, in watts.")] = 20_000,
    limit_w: Annotated[int, typer.Option(min=0, help="The supply's own limit in watts; 0: not known.")] = 0,
    profile: Annotated[str, typer.Option(help="The meter's profile.")] = "acrel_ddsy1352",
    multiplier: Annotated[str, typer.Option(help="Its transformers' product, such as 40 or 200/3.")] = "1",
) -> None:
    """Install a meter where one was removed before."""
    from console.connection import opened_ledger
    from console.installing import meter_facts
    from ledger.usecases.supply_life import reinstall_meter
    from ledger.values.energy import milliwh_from_text

    now = datetime.now(UTC)
    facts = meter_facts(serial=meter, profile=profile, max_power_w=max_power_w, limit_w=limit_w)
    with opened_ledger(os.environ) as ledger:
        position = reinstall_meter(
            ledger,
            supply=supply,
            meter=facts,
            at=_instant(at, now),
            opening_milliwh=milliwh_from_text(opening_kwh),
            multiplier=multiplier,
            now=now,
        )
    typer.echo(f"{supply}: meter {meter} installed (position {position})")


def multiplier(
    supply: _Supply,
    times: Annotated[str, typer.Argument(help="The transformers' product: 40, 1.5 or 200/3.")],
    register_kwh: Annotated[str, typer.Option(help="The meter's own register at that instant, in kWh.")],
    at: _At = "",
) -> None:
    """Count a meter's register so many times from an instant on (CT and PT together).

    It applies to the cumulative register, and the meter's physical limit with it. Refused where the supply point is
    billed beyond that instant.
    """
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import change_multiplier
    from ledger.values.energy import milliwh_from_text

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        position = change_multiplier(
            ledger,
            supply=supply,
            multiplier=times,
            at=_instant(at, now),
            register_milliwh=milliwh_from_text(register_kwh),
            now=now,
        )
    typer.echo(f"{supply}: its register counts {times} times (position {position})")


def move_in(
    supply: _Supply,
    account: Annotated[str, typer.Argument(help="The account that pays from then on; it must be open.")],
    register_kwh: _Register = "",
    at: _At = "",
) -> None:
    """Let an account move in; whoever paid until then moves out at the same instant.

    The instant may lie before what is billed already: that usage is rebooked from the former to the next, as if the
    move had been known.
    """
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import move_in as moved_in

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        position = moved_in(
            ledger,
            supply=supply,
            account=account,
            at=_instant(at, now),
            register_milliwh=_register(register_kwh),
            now=now,
        )
    typer.echo(f"{supply}: {account} pays (position {position}); settled with its next reading")


def move_out(supply: _Supply, register_kwh: _Register = "", at: _At = "") -> None:
    """Let the occupant move out; the landlord's account pays for what is used while the supply point is vacant."""
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import move_out as moved_out
    from ledger.usecases.supply_life import supply_of

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        position = moved_out(
            ledger, supply=supply, at=_instant(at, now), register_milliwh=_register(register_kwh), now=now
        )
        payer = supply_of(ledger, supply).occupancies[-1].account
    typer.echo(f"{supply}: vacant, {payer} pays (position {position}); settled with its next reading")


def landlord(
    supply: _Supply,
    account: Annotated[str, typer.Argument(help="The account that pays while nobody occupies the supply point.")],
    since: Annotated[str, typer.Option("--from", help="Since when it holds; now if not given.")] = "",
) -> None:
    """Name who pays for a supply point while it is vacant, whatever its site says."""
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import assign_landlord

    now = datetime.now(UTC)
    with opened_ledger(os.environ) as ledger:
        assign_landlord(ledger, supply=supply, account=account, effective_from=_instant(since, now), now=now)
    typer.echo(f"{supply}: {account} pays while it is vacant")


def concentrator(
    supply: _Supply,
    concentrator_id: Annotated[str, typer.Argument(metavar="CONCENTRATOR", help="Its new concentrator's id.")],
) -> None:
    """Read a supply point through another concentrator; what is still on its way from the old one is taken in."""
    from console.connection import opened_ledger
    from ledger.usecases.supply_life import change_concentrator

    with opened_ledger(os.environ) as ledger:
        change_concentrator(ledger, supply=supply, concentrator=concentrator_id, now=datetime.now(UTC))
    typer.echo(f"{supply}: read through {concentrator_id}")


def show(supply: _Supply) -> None:
    """Show a supply point: its meters with their registers, who occupied it, and what it was priced by."""
    from console.connection import opened_ledger
    from console.supplies.shown import show_supply
    from ledger.usecases.supply_life import supply_of

    with opened_ledger(os.environ) as ledger:
        show_supply(supply_of(ledger, supply))


def _closing(text: str) -> int | None:
    from ledger.values.energy import milliwh_from_text

    return None if text == "unread" else milliwh_from_text(text)


def _register(text: str) -> int | None:
    from ledger.values.energy import milliwh_from_text

    return milliwh_from_text(text) if text else None


def _instant(text: str, now: datetime) -> datetime:
    from ledger.values.instants import parse_instant

    return parse_instant(text) if text else now
