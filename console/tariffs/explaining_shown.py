"""An explained debit on the screen, in the order in which it came about."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from console.tariffs.amounts import kwh_text, money_text
from console.tariffs.explaining import Explained, Rerated, fields_of
from console.tariffs.explaining_time import TimeCharge, time_evidence, time_span
from console.tariffs.showing import lines_table, wide_console
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.supply import Registers
from ledger.rating.quantities import Quantities


def show_explained(found: Explained) -> None:
    """Print evidence, registers, counters, lines with their rules, postings, and all of it derived again."""
    console = wide_console()
    fact = found.fact
    console.print(
        f"[bold]{_word(fact)} {found.position}: {money_text(fact.amount_micros)} to account {fact.account}[/bold]"
    )
    if isinstance(fact, TimeCharge):
        _section(console, "Evidence", time_evidence(fact))
        _section(console, "Time", time_span(fact))
    elif isinstance(fact, OccupancyCorrected):
        _section(console, "Evidence", _message(fact))
        _section(console, "Move", _move(fact))
    else:
        _section(console, "Evidence", _evidence(fact))
        _section(console, "Usage", _usage(fact))
    _section(console, "Tariff", _tariffs(found))
    _counters(console, found)
    if not isinstance(fact, Rerated):
        console.print("\n[bold]Lines[/bold]")
        console.print(lines_table(fact.lines))
    else:
        console.print(f"\n[bold]Differences[/bold] ({fact.rerated} debits rated again)")
        console.print(_differences(fact))
    console.print("\n[bold]Postings[/bold] (debits are positive; they sum to zero)")
    postings = _plain_table("", "", "")
    for posting in fact.postings:
        postings.add_row(posting.code, posting.account, money_text(posting.amount_micros))
    console.print(postings)
    console.print(f"\n[bold]Derived again[/bold] from the first of {found.again.events} events: {_verdict(found)}")


def _word(fact: UsageDebited | Rerated | TimeCharge) -> str:
    if isinstance(fact, OccupancyCorrected):
        return "Rebooking"
    return "Correction" if isinstance(fact, UsageCorrected) else "Debit"


def _evidence(fact: UsageDebited | UsageCorrected) -> Mapping[str, str]:
    reading = {
        "meter": f"{fact.meter} (profile {fact.profile or '-'})",
        "reading": f"{fact.reading}, quality {fact.quality}",
        "raw words": fact.raw or "-",
    }
    return {"supply point": fact.supply, **reading, **_message(fact)}


def _message(fact: UsageDebited | Rerated) -> Mapping[str, str]:
    source = fact.source
    return {
        "supply point": fact.supply,
        "message": f"collector {source.collector}, sequence {source.sequence};"
        f" partition {source.partition}, offset {source.message_offset}, {source.published_at.isoformat()}",
        "recorded": fact.recorded_at.isoformat(),
    }


def _move(fact: OccupancyCorrected) -> Mapping[str, str]:
    """Return who pays instead of whom, and where the debit that straddles the move is cut."""
    rows = {"from": fact.occupied_from.isoformat(), "pays": fact.account, "instead of": fact.former}
    if fact.debit_version:
        rows["rated again from"] = f"event {fact.debit_version} of the meter stream"
    if fact.cut_milliwh is not None:
        rows["used before the move"] = f"{kwh_text(fact.cut_milliwh)} kWh of that debit, as the register was read"
    return rows | {f"more for {account}": f"{kwh_text(milliwh)} kWh" for account, milliwh in fact.usages}


def _usage(fact: UsageDebited | UsageCorrected) -> Mapping[str, str]:
    rows = {"from": fact.started_at.isoformat(), "to": fact.ended_at.isoformat()}
    if isinstance(fact, UsageCorrected):
        replaced = f"{kwh_text(fact.replaced_milliwh)} kWh, quality {fact.replaced_quality}"
        rows |= {"corrects": f"event {fact.debit_version} of the meter stream", "replaced": replaced}
    else:
        for name, milliwh in (
            ("opening register", fact.opening_milliwh),
            ("closing register", fact.closing_milliwh),
        ):
            rows[name] = "none: the meter gives intervals" if milliwh is None else f"{kwh_text(milliwh)} kWh"
        rows |= registers_rows("opening", fact.opening_registers) | registers_rows("closing", fact.closing_registers)
    return {**rows, "used": f"{kwh_text(fact.usage_milliwh)} kWh", **quantities_rows(fact.quantities)}


def registers_rows(which: str, registers: Registers | None) -> dict[str, str]:
    """Return the registers beside a total in words, by name."""
    if registers is None:
        return {}
    rows = {f"{which} register {name}": f"{kwh_text(milliwh)} kWh" for name, milliwh in registers.periods.items()}
    for unit, register in (("kvarh", registers.reactive_millivarh), ("kVAh", registers.apparent_millivah)):
        if register is not None:
            rows[f"{which} register of {unit}"] = f"{kwh_text(register)} {unit}"
    return rows


def quantities_rows(quantities: Quantities | None) -> dict[str, str]:
    """Return what was metered beside the energy, or instead of it by period, in words."""
    if quantities is None:
        return {}
    rows = {f"used in {name}": f"{kwh_text(milliwh)} kWh" for name, milliwh in quantities.periods.items()}
    for unit, quantity in (("kvarh", quantities.reactive_millivarh), ("kVAh", quantities.apparent_millivah)):
        if quantity is not None:
            rows[f"used {unit}"] = f"{kwh_text(quantity)} {unit}"
    if quantities.demand_w is not None:
        rows["demand"] = f"{quantities.demand_w} W"
    return rows


def _tariffs(found: Explained) -> Mapping[str, str]:
    return {
        f"{row.tariff}@{row.version}": f"in force from {row.effective_from.isoformat()}: {row.note}"
        for row in found.versions
    }


def _counters(console: Console, found: Explained) -> None:
    table = Table("counter", "before", "after", "after, derived again", box=None, pad_edge=False)
    before, after = fields_of(found.fact.before), fields_of(found.fact.state.counters)
    again = fields_of(found.again.after)
    for name in after:
        if before[name] or after[name] or again[name]:
            table.add_row(name, before[name], after[name], again[name])
    what = "; before: those of the first debit rated again" if isinstance(found.fact, Rerated) else ""
    console.print(f"\n[bold]Counters[/bold] (energies in milliwatt-hours{what})")
    console.print(table)


def _differences(fact: Rerated) -> Table:
    table = _plain_table("account", "period", "component", "was", "is now", "difference")
    for line in fact.lines:
        amounts = (line.reversed_micros, line.rerated_micros, line.amount_micros)
        table.add_row(line.account, line.period, line.component, *(money_text(micros) for micros in amounts))
    return table


def _plain_table(*titles: str) -> Table:
    table = Table(*titles, box=None, pad_edge=False, show_header=any(titles))
    for column in table.columns[2 if len(titles) == 3 else 3 :]:
        column.justify = "right"
    return table


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
        return "[green]equal[/green], counters and amounts, to the milliwatt-hour and the micro-unit"
    return f"[red]DIFFERENT[/red]: {'; '.join(found.differences)}"
