"""Running benchmarks one after the other, telling what is under way."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.catalogue import BENCHMARKS
from benchmarks.errors import BenchmarkFailed
from benchmarks.report import Report, show, write
from console.errors import ConsoleError


def run(names: Sequence[str], *, quick: bool, json: Path | None) -> int:
    """Run benchmarks by name (all for none), print each as it ends; return the exit code."""
    console = Console()
    reports: list[Report] = []
    failed = 0
    for name in names or BENCHMARKS:
        try:
            with console.status(f"measuring {name} ..."):
                reports.append(BENCHMARKS[name](quick=quick))
        except (BenchmarkFailed, ConsoleError) as error:
            console.print(f"[red]{name} failed:[/red] {error}", highlight=False)
            failed = 1
        else:
            show(reports[-1], console)
    if json is not None:
        write(reports, json)
    return failed
