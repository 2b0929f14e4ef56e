"""A simulation as tables, a histogram and JSON."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from console.tariffs.amounts import kwh_text, money_text
from console.tariffs.histogram import bar, binned
from console.tariffs.showing import wide_console
from console.tariffs.simulating import AccountChange, Simulation

# More rows than a screen holds tell less: the largest rises and falls, and the plot for the rest.
LARGEST_SHOWN = 20


def simulation_json(simulation: Simulation) -> dict[str, Any]:
    """Return a simulation for `--json`, every account in it."""
    return {
        "currency": simulation.currency,
        "debits": simulation.debits,
        "total": _change_json(simulation.total),
        "components": {
            "charged": {name: money_text(micros) for name, micros in simulation.charged_components.items()},
            "draft": {name: money_text(micros) for name, micros in simulation.draft_components.items()},
        },
        "accounts": {name: _change_json(row) for name, row in sorted(simulation.accounts.items())},
    }


def show_simulation(simulation: Simulation) -> None:
    """Print the change per account (the largest first), in all, per component, and its distribution as a plot."""
    console = wide_console()
    rows = sorted(simulation.accounts.values(), key=lambda row: (-abs(row.change_micros), row.account))
    console.print(_accounts_table(rows[:LARGEST_SHOWN], simulation))
    if len(rows) > LARGEST_SHOWN:
        console.print(f"{len(rows) - LARGEST_SHOWN} accounts with smaller changes are not shown; --json has them all")
    console.print()
    console.print(_components_table(simulation))
    console.print()
    console.print(_plot(rows))
    console.print(f"{simulation.debits} charges replayed; nothing was changed")


def _accounts_table(rows: Sequence[AccountChange], simulation: Simulation) -> Table:
    table = Table("account")
    for title in ("kWh", f"charged, {simulation.currency}", "under the draft", "change", "%"):
        table.add_column(title, justify="right")
    for row in rows:
        table.add_row(*_cells(row))
    table.add_section()
    table.add_row(*_cells(simulation.total), style="bold")
    return table


def _cells(row: AccountChange) -> list[str]:
    percent = row.change_percent
    return [
        row.account,
        kwh_text(row.energy_milliwh),
        money_text(row.charged_micros),
        money_text(row.draft_micros),
        _signed(row.change_micros),
        "" if percent is None else f"{percent:+}",
    ]


def _components_table(simulation: Simulation) -> Table:
    charged, draft = simulation.charged_components, simulation.draft_components
    table = Table("component")
    for title in ("charged", "under the draft", "change"):
        table.add_column(title, justify="right")
    for name in dict.fromkeys((*charged, *draft)):
        before, after = charged.get(name, 0), draft.get(name, 0)
        table.add_row(name, money_text(before), money_text(after), _signed(after - before))
    return table


def _plot(rows: Sequence[AccountChange]) -> Table:
    bins = binned([row.change_percent for row in rows if row.change_percent is not None])
    table = Table("change, %", title="accounts by change", title_justify="left", box=None, pad_edge=False)
    table.add_column("accounts", justify="right")
    table.add_column()
    for row in bins:
        bars = bar(row.count, largest=max(other.count for other in bins))
        table.add_row(f"{row.low:+f} to {row.high:+f}", str(row.count), bars)
    return table


def _signed(micros: int) -> str:
    return f"{'+' if micros > 0 else ''}{money_text(micros)}"


def _change_json(row: AccountChange) -> dict[str, Any]:
    percent = row.change_percent
    return {
        "energy_kwh": kwh_text(row.energy_milliwh),
        "charged": money_text(row.charged_micros),
        "draft": money_text(row.draft_micros),
        "change": money_text(row.change_micros),
        "change_percent": None if percent is None else str(percent),
    }
