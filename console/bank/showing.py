"""What became of a bank's file, on the terminal: a row per line of it that is news, and the sums."""

from collections.abc import Sequence

from rich.table import Table

from console.bank.importing import Outcome, Told
from console.papers.paper import money

_WORDS: dict[Outcome, str] = {
    "credited": "credited",
    "kept": "kept, to be identified",
    "repeated": "booked before",
    "paid-out": "paid out, left",
    "wrong": "cannot be read",
}
_STYLES: dict[Outcome, str] = {"kept": "yellow", "wrong": "bold red", "repeated": "dim", "paid-out": "dim"}


def shown(told: Sequence[Told], *, currency: str) -> Table:
    """Draw the lines in the file's order."""
    table = Table("line", "what", "")
    table.columns[0].justify = "right"
    table.add_column(currency, justify="right")
    for one in told:
        amount = "" if one.outcome == "wrong" else money(one.amount_micros, currency=currency)
        table.add_row(str(one.number), _WORDS[one.outcome], one.detail, amount, style=_STYLES.get(one.outcome, ""))
    return table


def summed_up(told: Sequence[Told], *, currency: str, is_dry_run: bool) -> str:
    """Say in a line how many of each there were, and how much they come to."""
    parts = []
    for outcome, words in _WORDS.items():
        rows = [one for one in told if one.outcome == outcome]
        if rows:
            sum_micros = sum(one.amount_micros for one in rows)
            amount = "" if outcome == "wrong" else f" ({money(sum_micros, currency=currency)} {currency})"
            parts.append(f"{len(rows)} {words}{amount}")
    told_as = "would be: " if is_dry_run else ""
    return told_as + ("; ".join(parts) or "the file has no lines")
