"""Tokens on the terminal: digits to read out, lists, and what registers say of it all."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from console.papers.paper import kwh
from console.tokens.digits import grouped
from console.tokens.issued import Token
from console.tokens.reconciling import Reconciled
from ledger.values.money import text_from_micros
from projections.tokens import TokenRow


def told_token(token: Token, *, is_repeat: bool, key: str) -> Iterator[str]:
    """Yield what whoever stands at the counter is to see."""
    yield grouped(token.digits)
    if token.kind == "add":
        sold = f"{kwh(token.energy_milliwh)} kWh for {text_from_micros(token.amount_micros)}, account {token.account}"
    else:
        sold = f"{token.kind}, {token.units} units" if token.kind == "set" else token.kind
    again = ", issued before" if is_repeat else ""
    named = f", key {key}" if key else ""
    yield f"  {token.supply}: {sold}{again} (position {token.position}, count {token.count}{named})"


def token_table(rows: Sequence[TokenRow]) -> Table:
    """Draw a supply point's tokens."""
    table = Table("position", "issued", "kind", "account")
    for title in ("count", "units", "kWh", "amount"):
        table.add_column(title, justify="right")
    for row in rows:
        is_sold = row.kind == "add"
        table.add_row(
            str(row.position),
            f"{row.at:%Y-%m-%d %H:%M}",
            row.kind,
            row.account,
            str(row.count),
            str(row.units) if row.kind in ("add", "set") else "",
            kwh(row.energy_milliwh) if is_sold else "",
            text_from_micros(row.amount_micros) if is_sold else "",
        )
    return table


def reconciled_table(rows: Sequence[Reconciled]) -> Table:
    """Draw what was sold against what was used."""
    table = Table("supply point")
    for title in ("tokens", "sold, kWh", "used, kWh", "left, kWh"):
        table.add_column(title, justify="right")
    table.add_column("read")
    table.add_column("")
    for row in rows:
        table.add_row(
            row.supply,
            str(row.tokens),
            kwh(row.vended_milliwh),
            kwh(row.used_milliwh),
            kwh(row.left_milliwh),
            "never" if row.read_at is None else f"{row.read_at:%Y-%m-%d %H:%M}",
            "used more than it was sold" if row.is_wrong else "",
            style="bold red" if row.is_wrong else "",
        )
    return table
