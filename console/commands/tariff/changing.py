"""`tariff assign` and `tariff simulate`: who gets which prices, and what other prices would have earned."""

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.tariffs.assigning import Assigned
    from console.tariffs.simulating import Simulation


def register(group: typer.Typer) -> None:
    """Add `tariff assign` and `tariff simulate`."""
    group.command("assign")(assign)
    group.command("simulate")(simulate)


def assign(
    tariff: Annotated[str, typer.Argument(help="The published tariff's code.")],
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="From when on (ISO 8601 with zone).")],
    site: Annotated[str, typer.Option(help="The supply points of this site only.")] = "",
    supply: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Those whose code matches, as in 'room-1*'; give it more than once."),
    ] = None,
    account_class: Annotated[
        str, typer.Option("--class", metavar="CLASS", help="At the prices of this account class.")
    ] = "",
    contracted_kw: Annotated[
        str, typer.Option(metavar="KW", help="Contracted power, which fixed charges per kW are for.")
    ] = "0",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
) -> None:
    """Price many supply points by a tariff from an instant on; what has it already is left as it is.

    wattledger tariff assign residential --from 2027-01-01T00:00:00+08:00 --site riverside --supply 'room-2*'

    A command that broke off can be given again. Exit code 1 where a supply point was refused.
    """
    from console.connection import finance_connection
    from console.errors import ConsoleError
    from console.tariffs.assigning import chosen_supplies
    from console.tariffs.published import published_version
    from ledger.rating.bill import watts_from_text
    from ledger.values.instants import parse_instant

    effective_from = parse_instant(since)
    if not site and not supply:
        raise ConsoleError("say which supply points: --site SITE, --supply GLOB, or --supply '*' for all of them")
    with finance_connection(os.environ) as connection:
        published_version(connection, tariff=tariff)
        supplies = chosen_supplies(connection, site=site, globs=supply or [])
    if not supplies:
        raise ConsoleError(f"no supply point matches --site {site!r} --supply {supply or []}; check the codes")
    done = _assigned(
        supplies,
        tariff,
        effective_from,
        account_class=account_class,
        contracted_w=watts_from_text(contracted_kw),
        is_dry=dry_run,
    )
    for row in done:
        if row.reason:
            typer.secho(f"{row.supply}: {row.done}: {row.reason}", fg=typer.colors.RED, err=True)
    counts = {what: sum(row.done == what for row in done) for what in dict.fromkeys(row.done for row in done)}
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    of_class = f", class {account_class}," if account_class else ""
    typer.echo(f"tariff {tariff}{of_class} from {effective_from.isoformat()}: {told}")
    raise typer.Exit(1 if counts.get("refused") else 0)


def _assigned(
    supplies: list[str],
    tariff: str,
    effective_from: datetime,
    *,
    account_class: str,
    contracted_w: int,
    is_dry: bool,
) -> "list[Assigned]":
    from contextlib import closing

    from console.connection import database_url, opened_ledger
    from console.tariffs.assigning import RehearsedLedger, assign

    rehearsed = closing(RehearsedLedger(url=database_url(os.environ, role="wattledger_writer"))) if is_dry else None
    with rehearsed or opened_ledger(os.environ) as ledger:
        steps = assign(
            ledger,
            supplies=supplies,
            tariff=tariff,
            effective_from=effective_from,
            account_class=account_class,
            contracted_w=contracted_w,
            now=datetime.now(UTC),
        )
        return list(_with_progress(steps, total=len(supplies)))


def _with_progress(steps: "Iterator[Assigned]", *, total: int) -> "Iterator[Assigned]":
    from rich.console import Console
    from rich.progress import track

    return iter(track(steps, description="assigning", total=total, console=Console(stderr=True), transient=True))


def simulate(
    draft: Annotated[str, typer.Argument(metavar="FILE|TARIFF@N", help="The draft: a tariff file, or a version.")],
    since: Annotated[str, typer.Option("--from", metavar="D", help="First local date, or an instant with zone.")],
    until: Annotated[str, typer.Option("--to", metavar="D", help="The date or instant before which it ends.")],
    accounts: Annotated[
        list[str] | None, typer.Option("--accounts", metavar="ACCOUNT", help="Only these; give it more than once.")
    ] = None,
    account_class: Annotated[str, typer.Option("--class", metavar="CLASS", help="Price as this account class.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every account in it.")] = False,
) -> None:
    """Replay recorded usage under a draft and show the change in revenue and who pays it; nothing is changed.

    wattledger tariff simulate draft.toml --from 2026-10-01 --to 2026-11-01

    All that ended within the span is priced again: usage, whole local days, and billing periods with their minimum.
    Each supply point keeps its account class and contracted power, unless --class is given.
    """
    from console.tariffs.simulation_shown import show_simulation, simulation_json

    simulation = _simulated(draft, since, until, accounts or [], account_class)
    if as_json:
        typer.echo(json.dumps(simulation_json(simulation), indent=2, ensure_ascii=False))
    else:
        show_simulation(simulation)


def _simulated(draft: str, since: str, until: str, accounts: list[str], account_class: str) -> "Simulation":
    from rich.console import Console
    from rich.progress import track

    from console.connection import finance_connection
    from console.errors import ConsoleError
    from console.tariffs.drafted import Draft
    from console.tariffs.files import local_instant
    from console.tariffs.published import text_of_reference
    from console.tariffs.rating import compiled_text
    from console.tariffs.simulating import Simulation, simulate, supplies_of

    text = text_of_reference(draft)
    compiled = compiled_text(text, name=draft, account_class=account_class)
    zone = compiled.tariff.time_zone
    begin = local_instant(since, zone=zone, option="--from")
    end = local_instant(until, zone=zone, option="--to")
    if begin >= end:
        raise ConsoleError(f"--to {until} is not after --from {since}; give the first date that is left out")
    simulation = Simulation(compiled.tariff.currency)
    with finance_connection(os.environ) as connection:
        supplies = supplies_of(connection, accounts=accounts)
        steps = simulate(
            connection, Draft(text, account_class), supplies=supplies, accounts=accounts, begin=begin, end=end
        )
        console = Console(stderr=True)
        for step in track(steps, description="replaying", total=len(supplies), console=console, transient=True):
            simulation = step
    if not simulation.debits:
        raise ConsoleError(f"no debit ended from {since} to {until} (accounts: {accounts or 'all'}); check the dates")
    return simulation
