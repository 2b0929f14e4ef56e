"""For who does not trust us: an account's whole history, each event with its evidence."""

import typer

from console.commands.audit import archiving, exporting, proving, replaying, restoring, verifying


def register(app: typer.Typer) -> None:
    """Add the group `audit`."""
    group = typer.Typer(help="The ledger, checked and told by its own events.", no_args_is_help=True)
    group.callback()(_audit)
    for module in (replaying, exporting, verifying, proving, archiving, restoring):
        module.register(group)
    app.add_typer(group, name="audit", rich_help_panel="Auditors")


def _audit() -> None:
    """The ledger, checked and told by its own events."""
