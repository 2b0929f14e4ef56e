"""For who runs the whole on one machine: every service and every role under one supervisor."""

import os
import threading
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `up`."""
    app.command(rich_help_panel="The whole system")(up)


def up(
    site: Annotated[
        Path | None,
        typer.Option(envvar="WATTLEDGER_SITE_FILE", help="A site file: also collect from its meters."),
    ] = None,
    simulate: Annotated[bool, typer.Option(help="Also simulate the site's meters.")] = False,
    pricing_workers: Annotated[
        int,
        typer.Option(
            envvar="WATTLEDGER_PRICING_WORKERS",
            min=1,
            max=64,
            help="Processes that price; they share out the partitions of `meter-readings` among them.",
        ),
    ] = 1,
    sandbox_provider: Annotated[
        bool,
        typer.Option(
            "--sandbox-provider", help="Also stand in for a payment provider, to try things; moves no money."
        ),
    ] = False,
) -> None:
    """Run the whole system until Ctrl-C: services, schema, topics, and every role as its own process.

    PostgreSQL and the broker are embedded unless WATTLEDGER_DATABASE_URL (the owner's) or WATTLEDGER_KAFKA_BOOTSTRAP
    name ones outside. Data, logs and keys are under WATTLEDGER_DIRECTORY (.wattledger).
    """
    from dataclasses import replace

    from console.roles import PRICE, SERVER_ROLES
    from console.sandbox.beside import provider_settings, start_sandbox
    from console.settings import StackSettings
    from console.stack import Stack
    from console.supervisor import StopRequested, stop_on_signals

    if simulate and site is None:
        raise typer.BadParameter("the simulator needs a site file; give --site")
    settings = StackSettings.from_environment(os.environ)
    if sandbox_provider:
        settings = replace(settings, providers={**settings.providers, **provider_settings()})
    stop_requested = threading.Event()
    with (
        stop_on_signals(stop_requested),
        Stack(settings=settings, stop_requested=stop_requested, announce=typer.echo) as stack,
    ):
        try:
            stack.start_services()
            for role in SERVER_ROLES:
                for number in range(1, 1 + (pricing_workers if role is PRICE else 1)):
                    stack.start_role(role.name, number=number)
            if sandbox_provider:
                start_sandbox(stack)
            for name in edge_roles(site=site, simulate=simulate):
                stack.start_role(name, arguments=("--site", str(site)))
            stack.await_healthy()
            typer.secho("Wattledger is up; Ctrl-C stops it.", fg=typer.colors.GREEN)
            stack.watch()
        except StopRequested:
            pass
        typer.echo("stopping ...")
    typer.echo("stopped; nothing is left running")


def edge_roles(*, site: Path | None, simulate: bool) -> list[str]:
    """Name the edge's roles to run: none without a site; meters before who reads them."""
    if site is None:
        return []
    return ["simulate", "collect"] if simulate else ["collect"]
