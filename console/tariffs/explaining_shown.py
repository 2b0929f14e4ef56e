"""An explained debit on the screen, in the order in which it came about."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from console.tariffs.amounts import kwh_text, money_text
from console.tariffs.explaining import Explained, fields_of
from console.tariffs.showing import lines_table, wide_console


def show_explained(found: Explained) -> None:
    """Print evidence, registers, counters, lines with their rules, postings, and all of it derived again."""
    console = wide_console()
    debit = found.debit
    console.print(
        f"[bold]Debit {found.position}: {money_text(debit.amount_micros)} to account {debit.account}[/bold]"
    )
    _section(console, "Evidence", _evidence(found))
    _section(console, "Registers", _registers(found))
    _section(console, "Tariff", _tariffs(found))
    _counters(console, found)
    console.print("\n[bold]Lines[/bold]")
    console.print(lines_table(debit.lines))
    console.print("\n[bold]Postings[/bold] (debits are positive; they sum to zero)")
    postings = Table(box=None, pad_edge=False, show_header=False)
    postings.add_column()
    postings.add_column()
    postings.add_column(justify="right")
    for posting in debit.postings:
        postings.add_row(posting.code, posting.account, money_text(posting.amount_micros))
    console.print(postings)
    console.print(f"\n[bold]Derived again[/bold] from the first of {found.again.events} events: {_verdict(found)}")


def _evidence(found: Explained) -> Mapping[str, str]:
    debit, source = found.debit, found.debit.source
    return {
        "supply point": debit.supply,
        "meter": f"{debit.meter} (profile {debit.profile or '-'})",
        "reading": f"{debit.reading}, quality {debit.quality}",
        "raw words": debit.raw or "-",
        "message": f"collector {source.collector}, sequence {source.sequence};"
        f" partition {source.partition}, offset {source.message_offset}, {source.published_at.isoformat()}",
        "recorded": debit.recorded_at.isoformat(),
    }


def _registers(found: Explained) -> Mapping[str, str]:
    debit = found.debit
    rows = {"from": debit.started_at.isoformat(), "to": debit.ended_at.isoformat()}
    for name, milliwh in (("opening", debit.opening_milliwh), ("closing", debit.closing_milliwh)):
        rows[name] = "none: the meter gives intervals" if milliwh is None else f"{kwh_text(milliwh)} kWh"
    return {**rows, "used": f"{kwh_text(debit.usage_milliwh)} kWh"}


def _tariffs(found: Explained) -> Mapping[str, str]:
    return {
        f"{row.tariff}@{row.version}": f"in force from {row.effective_from.isoformat()}: {row.note}"
        for row in found.versions
    }


def _counters(console: Console, found: Explained) -> None:
    table = Table("counter", "before", "after", "after, derived again", box=None, pad_edge=False)
    before, after = fields_of(found.debit.before), fields_of(found.debit.state.counters)
    again = fields_of(found.again.after)
    for name in after:
        table.add_row(name, before[name], after[name], again[name])
    console.print("\n[bold]Counters[/bold] (energies in milliwatt-hours)")
    console.print(table)


def _section(console: Console, title: str, rows: Mapping[str, str]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(f"\n[bold]{title}[/bold]")
    console.print(table)


def _verdict(found: Explained) -> str:
    if not found.differences:
        return "[green]equal[/green], counters and lines, to the milliwatt-hour and the micro-unit"
    return f"[red]DIFFERENT[/red]: {', '.join(found.differences)} are not what was booked"
