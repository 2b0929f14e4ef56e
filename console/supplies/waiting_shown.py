"""What waits for a person, as tables: open holds, and the worklist."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from console.connection import finance_connection
from projections.holds import open_holds
from projections.worklist import items


def show_holds(environ: Mapping[str, str]) -> None:
    """Print the readings that were held instead of billed, for as long as their hold is open."""
    with finance_connection(environ) as connection:
        rows = open_holds(connection)
    table = Table("hold", "supply", "meter", "reason", "since", title=f"{len(rows)} open holds")
    table.add_column("claimed kWh", justify="right")
    table.add_column("detail")
    for row in rows:
        kwh = row.claimed_milliwh.scaleb(-6)
        table.add_row(
            str(row.position), row.supply, row.meter, row.reason, _at(row.read_at), f"{kwh:,.6f}", row.detail
        )
    Console().print(table)


def show_worklist(environ: Mapping[str, str], *, kind: str | None) -> None:
    """Print what waits for a person, the longest first."""
    with finance_connection(environ) as connection:
        rows = items(connection, kind=kind)
    table = Table("kind", "subject", "since", "detail", title=f"{len(rows)} items")
    for row in rows:
        table.add_row(row.kind, row.subject, _at(row.since), row.detail)
    Console().print(table)


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
