"""What waits for a person, as tables: open holds, and the worklist."""

from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from console.connection import finance_connection
from console.supplies.waiting import SILENT_AFTER, waiting
from ledger.store.heartbeats import last_heard
from ledger.store.meter_credit import told_credit
from projections.holds import open_holds

_SHOWN_CHARACTERS = 40


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
        rows = waiting(connection, kind=kind, now=datetime.now(UTC))
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
        style = "red" if now - row.heard_at > SILENT_AFTER else None
        figures = (row.meters, row.failing, row.spool_sweeps, row.spool_oldest_s)
        ahead = f"{row.clock_ahead.total_seconds():+.1f}"
        table.add_row(row.concentrator, row.collector, f"{ago_s:.0f} s ago", *map(str, figures), ahead, style=style)
    Console().print(table)


def show_own_credit(environ: Mapping[str, str], *, meter: str | None) -> None:
    """Print what meters tell of credit that they keep themselves, and what has become of it since."""
    with finance_connection(environ) as connection:
        rows = told_credit(connection, meter=meter)
    table = Table("meter", "quantity", "first told", "was", "is", "since", "changes")
    for row in rows:
        first, now = (text[:_SHOWN_CHARACTERS] for text in (row.first_value, row.value))
        figures = (_at(row.first_at), first, now, _at(row.changed_at), str(row.changes))
        table.add_row(row.meter, row.name, *figures, style="red" if row.is_recharge else None)
    Console().print(table)


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
