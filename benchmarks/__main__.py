"""`make bench`: every measurement, printed as a table of medians with ratios within the run.

python -m benchmarks [--runs N] [--json FILE]
"""

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import pricing_core


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement; the median is shown")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    figures = pricing_core.measure(runs=arguments.runs)
    table = Table(title=f"Pricing core: median of {arguments.runs} runs, one core")
    table.add_column("step")
    table.add_column("µs each", justify="right")
    table.add_column("a second", justify="right")
    table.add_column("ratio to encoding", justify="right")
    for figure in figures:
        row = (f"{figure.microseconds:.2f}", f"{1e6 / figure.microseconds:,.0f}", f"{figure.ratio_to_encoding:.2f}")
        table.add_row(figure.name, *row)
    Console().print(table)
    if arguments.json is not None:
        document = {
            figure.name: {"microseconds": figure.microseconds, "ratio_to_encoding": figure.ratio_to_encoding}
            for figure in figures
        }
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
