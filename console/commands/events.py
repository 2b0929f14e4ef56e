"""For who reads events: the page of every type there is."""

import typer


def register(app: typer.Typer) -> None:
    """Add `events catalogue`."""
    group = typer.Typer(help="What the ledger holds.", no_args_is_help=True)
    group.callback()(_events)
    group.command("catalogue")(show_catalogue)
    app.add_typer(group, name="events", rich_help_panel="Finance")


def _events() -> None:
    """What the ledger holds."""


def show_catalogue() -> None:
    """Print every event type in Markdown, with its fields, their types and units: `docs/events.md` is this."""
    from console.event_catalogue import page

    typer.echo(page(), nl=False)
