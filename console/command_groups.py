"""How a group of commands is added to the command line."""

from collections.abc import Callable, Mapping

import typer


def add_group(
    app: typer.Typer, name: str, commands: Mapping[str, Callable[..., None]], *, about: str, panel: str
) -> None:
    """Add a group with its commands, by name in the order in which help lists them."""
    group = typer.Typer(help=about, no_args_is_help=True)
    for command, run in commands.items():
        group.command(command)(run)
    app.add_typer(group, name=name, rich_help_panel=panel)
