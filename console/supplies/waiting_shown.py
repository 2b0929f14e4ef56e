"""What waits for a person, as tables: open holds, and the worklist."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from rich.console import Console
from rich.table import Table

from console.connection import finance_connection
from console.payments.desk import HELD_DELIVERY, Shown, shown
from ledger.store.heartbeats import last_heard, silent
from ledger.store.meter_credit import told_credit
from projections.holds import open_holds
from projections.worklist import Item, items

# Ten heartbeats that did not come, as collectors send them unless told otherwise.
_SILENT_AFTER = timedelta(minutes=5)
_SILENT = "collector-silent"
_RECHARGED = "meter-recharged"
_RECHARGED_FOR = timedelta(days=31)
_SHOWN_CHARACTERS = 40
_MOST_HELD = 1_000


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
        if kind in (None, _RECHARGED):
            since = datetime.now(UTC) - _RECHARGED_FOR
            told = (row for row in told_credit(connection) if row.is_recharge and row.changed_at > since)
            rows += [Item(_RECHARGED, row.meter, row.changed_at, f"{row.name} changed") for row in told]
        if kind in (None, HELD_DELIVERY):
            held = shown(connection, states=["held"], limit=_MOST_HELD)
            rows += [Item(HELD_DELIVERY, str(row.id), row.changed_at, _told(row)) for row in reversed(held)]
    table = Table("kind", "subject", "since", "detail", title=f"{len(rows)} items")
    for row in rows:
        table.add_row(row.kind, row.subject, _at(row.since), row.detail)
    Console().print(table)


def _told(held: Shown) -> str:
    return f"{held.provider} told {held.news}: {held.detail}"


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


def show_own_credit(environ: Mapping[str, str], *, meter: str | None) -> None:
    """Print what meters tell of credit that they keep themselves, and what has become of it since."""
    with finance_connection(environ) as connection:
        rows = [row for row in told_credit(connection) if meter in (None, row.meter)]
    table = Table("meter", "quantity", "first told", "was", "is", "since", "changes")
    for row in rows:
        first, now = (text[:_SHOWN_CHARACTERS] for text in (row.first_value, row.value))
        figures = (_at(row.first_at), first, now, _at(row.changed_at), str(row.changes))
        table.add_row(row.meter, row.name, *figures, style="red" if row.is_recharge else None)
    Console().print(table)


def _at(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(sep=" ", timespec="seconds")
