"""What a benchmark found: figures under stable names, shown as a table and a plot, written as JSON."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import plotext
from rich.console import Console
from rich.table import Table
from rich.text import Text

Number = int | float | str

_ABREAST = 6  # figures; more of them cannot be read on eighty columns


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a benchmark's table: what was measured, and its figures by name (units last in the names)."""

    name: str
    figures: Mapping[str, Number]


@dataclass(slots=True)
class Report:
    """A benchmark's outcome: `figures` go under its name into the JSON, `rows` into the table and below them.

    `bars` is what the plot shows: a title, and a value by label.
    """

    name: str
    title: str
    figures: dict[str, Number] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    bars: tuple[str, dict[str, float]] | None = None

    @property
    def document(self) -> dict[str, object]:
        """What is written as JSON."""
        return {**self.figures, **{row.name: dict(row.figures) for row in self.rows}}


def show(report: Report, console: Console) -> None:
    """Print a report's table and plot."""
    if report.rows:
        console.print(_table(report))
    for name, value in report.figures.items():
        console.print(f"{report.name}: {name.replace('_', ' ')} [bold]{_text(value)}[/bold]")
    if report.bars is not None:
        _plot(*report.bars, console)


def _table(report: Report) -> Table:
    """Return a table with a line for each row, or for each figure where there are too many to stand abreast."""
    names = list(dict.fromkeys(name for row in report.rows for name in row.figures))
    table = Table("", title=report.title)
    if len(names) <= _ABREAST:
        for name in names:
            table.add_column(name.replace("_", " "), justify="right")
        for row in report.rows:
            table.add_row(row.name, *(_text(row.figures.get(name)) for name in names))
        return table
    for row in report.rows:
        table.add_column(row.name, justify="right")
    for name in names:
        table.add_row(name.replace("_", " "), *(_text(row.figures.get(name)) for row in report.rows))
    return table


def write(reports: Iterable[Report], path: Path) -> None:
    """Write all figures as JSON, each benchmark's under its name."""
    document = {report.name: report.document for report in reports}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def _plot(title: str, values: Mapping[str, float], console: Console) -> None:
    plotext.clear_figure()
    plotext.simple_bar(list(values), list(values.values()), width=min(console.width, 100), title=title)
    console.print(Text.from_ansi(plotext.build()))


def _text(value: Number | None) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
