"""Lines of a bill as a table for people and as JSON for programs: the same figures, every micro-unit of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from console.tariffs.amounts import kwh_text, money_text, rounded_text
from console.tariffs.rating import Bill
from ledger.rating.lines import Line
from ledger.rating.quote import Quoted

# Where nobody is watching, the same on every machine.
WIDTH_OF_FILES = 118


def wide_console() -> Console:
    """Return a console as wide as the terminal, or of a fixed width where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_OF_FILES)


def bill_json(bill: Bill) -> dict[str, Any]:
    """Return a bill for `--json`: amounts are decimal texts at full precision."""
    return {
        "total": money_text(bill.total_micros),
        "rounded": rounded_text(bill.total_micros, currency=bill.currency),
        "currency": bill.currency,
        "components": {name: money_text(micros) for name, micros in bill.components.items()},
        "lines": [line_json(line) for line in bill.shown],
    }


def quote_json(quoted: Quoted, *, currency: str) -> dict[str, Any]:
    """Return a quote for `--json`."""
    return {
        "energy_kwh": kwh_text(quoted.energy_milliwh),
        "cost": money_text(quoted.cost_micros),
        "change": money_text(quoted.change_micros),
        "currency": currency,
        "lines": [line_json(line) for line in quoted.lines],
    }


def line_json(line: Line) -> dict[str, Any]:
    """Return a line for `--json`."""
    return {
        "component": line.component,
        "quantity": line.quantity,
        "unit": line.unit,
        "price": line.price,
        "amount": money_text(line.amount_micros),
        "rule": line.rule,
        **({"block": line.block} if line.block else {}),
        **({"period": line.time_of_use} if line.time_of_use else {}),
    }


def lines_table(lines: Iterable[Line], *, title: str = "") -> Table:
    """Lay lines out as a table, without any total."""
    table = Table("component", title=title or None, box=None, pad_edge=False, title_justify="left")
    table.add_column("quantity", justify="right")
    table.add_column("unit")
    table.add_column("price", justify="right")
    table.add_column("amount", justify="right")
    table.add_column("rule", overflow="fold")
    for line in lines:
        amount = money_text(line.amount_micros)
        table.add_row(line.component, _plain(line.quantity), line.unit, line.price, amount, line.rule)
    return table


def totals_table(components: Mapping[str, int], *, currency: str) -> Table:
    """Lay out the totals per component, the grand total and the rounded one."""
    total = sum(components.values())
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for name, micros in components.items():
        table.add_row(name, money_text(micros), currency)
    table.add_row("total", money_text(total), currency, style="bold")
    table.add_row("rounded", rounded_text(total, currency=currency), currency)
    return table


def show_bill(bill: Bill) -> None:
    """Print a bill: its lines, the totals per component, the grand total and the rounded one."""
    console = wide_console()
    console.print(lines_table(bill.shown))
    console.print()
    console.print(totals_table(bill.components, currency=bill.currency))


def show_quote(quoted: Quoted, *, currency: str) -> None:
    """Print a quote: the lines, what they cost, the energy that they buy and the change."""
    console = wide_console()
    console.print(lines_table(quoted.lines))
    console.print()
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    table.add_row("energy", kwh_text(quoted.energy_milliwh), "kWh", style="bold")
    table.add_row("cost", money_text(quoted.cost_micros), currency)
    table.add_row("change", money_text(quoted.change_micros), currency)
    console.print(table)


def _plain(quantity: str) -> str:
    """Leave out the zeros behind a quantity's last digit that counts."""
    return quantity.rstrip("0").rstrip(".") if "." in quantity else quantity
