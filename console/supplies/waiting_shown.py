"""What waits for a person, as tables: open holds, and the worklist."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from console.connection import finance_connection
from ledger.store.heartbeats import last_heard, silent
from projections.holds import open_holds
from projections.worklist import Item, items

# Ten heartbeats that did not come, as collectors send them unless told otherwise.
_SILENT_AFTER = timedelta(minutes=5)
_SILENT = "collector-silent"


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
        if kind in (None, _SILENT):
            heard = silent(connection, now=datetime.now(UTC), after=_SILENT_AFTER)
            rows += [Item(_SILENT, row.concentrator, row.heard_at, f"{row.collector} is not heard") for row in heard]
    table = Table("kind", "subject", "since", "detail", title=f"{len(rows)} items")
    for row in rows:
        table.add_row(row.kind, row.subject, _at(row.since), row.detail)
    Console().print(table)


def show_heard(environ: Mapping[str, str]) -> None:
    """Print each concentrator's last heartbeat."""
    with finance_connection(environ) as connection:
        rows = last_heard(connection)
    now = datetime.now(UTC)
    table = Table("concentrator", "collector", "heard", "meters", "failing", "spool", "oldest, s", "clock ahead, s")
    for row in rows:
        ago_s = (now - row.heard_at).total_seconds()
        style = "red" if now - row.heard_at > _SILENT_AFTER else None
        figures = (row.meters, row.failing, row.spool_sweeps, row.spool_oldest_s)
        ahead = f"{row.clock_ahead.total_seconds():+.1f}"
        table.add_row(row.concentrator, row.collector, f"{ago_s:.0f} s ago", *map(str, figures), ahead, style=style)
    Console().print(table)


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
