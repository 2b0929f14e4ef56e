"""The demo's last screen: the trial balance, the sums that must agree, and what to try next."""

import psycopg
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.demo.estate import CURRENCY, PROTECTED
from console.demo.figures import DemoFigures, Quantiles
from console.stack import Stack
from console.trial_balance import trial_balance_table
from projections import queries


def shown(figures: DemoFigures, stack: Stack) -> Group:
    """Draw the trial balance and the figures, and say plainly what does not hold."""
    failures = figures.failures()
    verdict = (
        Text("\n".join(f"✗ {failure}" for failure in failures), style="bold red")
        if failures
        else Text(
            f"✓ {figures.energy_on_registers_wh} Wh on the registers = {figures.energy_billed_wh} Wh billed"
            f" + {figures.energy_held_wh} Wh held; the books balance to the micro-unit",
            style="bold green",
        )
    )
    return Group(_trial_balance(stack), _figures(figures), verdict)


def next_steps(stack: Stack) -> Panel:
    """Say what to try from a second terminal while everything runs."""
    return Panel(
        "The meters are frozen; everything else still runs. In a second terminal:\n\n"
        "  . .venv/bin/activate\n"
        "  wattledger balances                       every account\n"
        "  wattledger trial-balance                  the books, which sum to zero\n"
        "  wattledger top-up account-103 25.00       pay in, once per --key\n"
        "  wattledger relays                         what is on, what is off, and why\n"
        "  wattledger projections list               the read models and how far they are\n"
        f"  curl http://127.0.0.1:{stack.health_ports['serve']}/metrics\n"
        "The three lines for the HTTP API above the story work still.\n\n"
        "Ctrl-C here stops everything.",
        title="what to try next",
    )


def _trial_balance(stack: Stack) -> Table:
    with psycopg.connect(stack.database_url("wattledger_finance"), autocommit=True) as connection:
        balance = queries.trial_balance(connection)
    return trial_balance_table(balance, code_title="account code", amount_title=CURRENCY)


def _figures(figures: DemoFigures) -> Text:
    return Text(
        f"{figures.readings_published} readings, {figures.debits} debits, {figures.top_ups} top-ups"
        f" ({figures.webhooks_booked} told by webhook, {figures.automatic_top_ups} of them automatic), "
        f"{figures.disconnections_confirmed} disconnections and {figures.reconnections_confirmed} reconnections "
        f"confirmed\n{PROTECTED}, protected, has {figures.protected_balance} {CURRENCY} and was ordered off"
        f" {figures.protected_cuts} times\n"
        f"reading published → balance visible: {_told(figures.latency_s.reading_to_balance)}\n"
        f"top-up → relay read back closed: {_told(figures.latency_s.top_up_to_relay)}"
    )


def _told(quantiles: Quantiles) -> str:
    if quantiles.p50 is None or quantiles.p99 is None:
        return "nothing to measure"
    return f"p50 {quantiles.p50:.3f} s, p99 {quantiles.p99:.3f} s"
