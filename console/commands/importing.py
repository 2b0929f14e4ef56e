"""For who brings in data from files: interval files, billed like any collector's readings."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `import nem12`."""
    group = typer.Typer(help="Bring in readings from files.", no_args_is_help=True)
    # A callback keeps `nem12` a command of its own although it is the only one so far.
    group.callback()(lambda: None)
    group.command("nem12")(nem12)
    app.add_typer(group, name="import", rich_help_panel="Operators")


def nem12(
    file: Annotated[Path, typer.Argument(help="The NEM12 interval file.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="NMI=SUPPLY: bill this NMI to that supply point. Without any: each to its own code."
        ),
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="How long to wait for the ledger, in s.")] = 60,
) -> None:
    """Bill a NEM12 file: its import-energy channels (E), summed per interval, once.

    The intervals are published to Kafka and priced like any collector's; this waits until the ledger has committed
    them, and tells how many are billed, held and superseded; exit code 1 where any is held. Giving the same file
    again changes nothing. A malformed file is refused whole, and so is one that begins before its supply points can
    be billed.
    """
    from collectors.logs import quiet_logs
    from console.importing import describe, import_nem12

    quiet_logs()
    pairs = [_pair(text) for text in mapping or []]
    report = asyncio.run(import_nem12(os.environ, file=file, mapping=dict(pairs), timeout_s=timeout_s))
    typer.echo(describe(report))
    raise typer.Exit(1 if report.held else 0)


def _pair(text: str) -> tuple[str, str]:
    nmi, separator, supply = text.partition("=")
    if not separator or not nmi or not supply:
        raise typer.BadParameter(f"{text!r} is not NMI=SUPPLY")
    return nmi, supply
