"""The trial balance as a table for the terminal."""

from rich.table import Table

from projections.queries import TrialBalance


def trial_balance_table(balance: TrialBalance, *, code_title: str, amount_title: str) -> Table:
    """Draw every account code with its postings and amount in currency units, and their sum."""
    table = Table(title=f"Trial balance at position {balance.position}")
    table.add_column(code_title)
    table.add_column("postings", justify="right")
    table.add_column(amount_title, justify="right")
    for row in balance.rows:
        table.add_row(row.code, str(row.postings), f"{row.amount:,.6f}")
    table.add_section()
    table.add_row("sum", "", f"{balance.total:,.6f}")
    return table
