"""For the counter and for finance: what is put right on accounts, who decides it, and who people are."""

import typer

from console.commands.account import disputing, people, putting_right, undoing

_HELP = """Accounts: put money right, dispute, close; and who people are.

Nothing is rewritten: each command books a new transaction that names what it corrects (a position, as the command
that booked it told). Each takes a reason code, an operator and a key: the same key books once. What is above the
limit of one person is proposed, and waits for another: see `wattledger proposals`, `wattledger policy`.
"""


def register(app: typer.Typer) -> None:
    """Add the group `account`."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    for module in (undoing, putting_right, disputing, people):
        module.register(group)
    app.add_typer(group, name="account", rich_help_panel="Money")
