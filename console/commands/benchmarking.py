"""For who wants to know how fast it is: benchmarks, on embedded services of their own."""

from pathlib import Path
from typing import Annotated

import typer

_Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which; all of them if none is given.")]
_Quick = Annotated[bool, typer.Option("--quick", help="A smaller form of each, done within two minutes.")]
_Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write all figures here.")]


def register(app: typer.Typer) -> None:
    """Add `bench`."""
    app.command(rich_help_panel="Setting up")(bench)


def bench(names: _Names = None, quick: _Quick = False, json: _Json = None) -> None:
    """Measure, and print medians with their ratios within the run.

    wattledger bench pricing --quick

    wattledger bench --json figures.json

    Each benchmark starts a PostgreSQL and a broker of its own in a temporary directory; nothing else is touched.
    """
    from benchmarks.catalogue import BENCHMARKS
    from benchmarks.run import run
    from console.errors import ConsoleError

    unknown = [name for name in names or () if name not in BENCHMARKS]
    if unknown:
        raise ConsoleError(f"there is no benchmark {unknown[0]!r}; known: {', '.join(BENCHMARKS)}")
    raise typer.Exit(run(names or (), quick=quick, json=json))
