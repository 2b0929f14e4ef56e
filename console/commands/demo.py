"""For who wants to see it work: the whole system on twelve simulated households."""

import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from console.demo.figures import DemoFigures
    from console.stack import Stack


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    app.command(rich_help_panel="The whole system")(demo)


def demo(
    headless: Annotated[bool, typer.Option(help="No live screen, and end when the story ends.")] = False,
    stay: Annotated[
        bool, typer.Option(help="Run on when the story has ended, until Ctrl-C; a terminal does so.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=5, max=3600, help="How long the story runs.")] = 60,
    json: Annotated[Path | None, typer.Option(help="Write the figures here as JSON.")] = None,
) -> None:
    """Watch prepaid billing work: balances fall, a warning, a disconnection, a top-up, the light comes back.

    Everything is real but the households: meters answer over Modbus TCP, readings travel through Kafka into the
    ledger, relays are switched by signed orders and read back. At the end the meters are frozen and read once more,
    and every watt-hour on them must be billed. Consumers pay through the HTTP API, and online by a provider's signed
    webhook, and one's card is charged by itself; their receipts are left as files. Data goes under
    WATTLEDGER_DIRECTORY/demo (.wattledger/demo).
    """
    from dataclasses import replace

    from rich.console import Console

    from console.demo.run import Demo, emptied
    from console.errors import ConsoleError
    from console.sandbox.beside import provider_settings
    from console.settings import StackSettings
    from console.stack import Stack
    from console.supervisor import StopRequested, stop_on_signals

    settings = StackSettings.from_environment(os.environ)
    if json is not None and not json.absolute().parent.is_dir():
        raise ConsoleError(f"{json} cannot be written: there is no folder {json.absolute().parent}")
    console = Console()
    is_live = not headless and sys.stdout.isatty()
    stop_requested = threading.Event()
    with (
        stop_on_signals(stop_requested),
        emptied(settings.directory / "demo") as directory,
        Stack(
            settings=replace(settings, directory=directory, providers=provider_settings()),
            stop_requested=stop_requested,
            announce=console.print,
        ) as stack,
    ):
        try:
            figures = Demo(stack, directory, console, is_live).run(seconds=seconds)
            if json is not None:
                figures.write(json)
            _conclude(console, stack, figures, stays=is_live or stay)
        except StopRequested:
            console.print("stopping ...")
            figures = None
    if figures is None:
        console.print("stopped before the story's end; nothing is left running")
        raise typer.Exit(130)
    if figures.failures():
        raise typer.Exit(1)


def _conclude(console: "Console", stack: "Stack", figures: "DemoFigures", *, stays: bool) -> None:
    """Show the sums, and what to try next while everything still runs."""
    from console.demo.summary import next_steps, shown

    console.print(shown(figures, stack))
    if stays:
        console.print(next_steps(stack))
        stack.watch()
