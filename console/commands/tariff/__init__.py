"""For who sets prices: tariffs as files and as published versions, what they charge, and how a debit came about."""

import typer

from console.commands.tariff import changing, explaining, publishing, rating

_HELP = """Tariffs: TOML files, published as immutable versions.

docs/tariffs.md describes the file, with an example for every component. Write one, `check` it, `rate` some usage,
`simulate` it on what was used, `diff` it against the version in force, then `publish` and `assign` it.
"""


def register(app: typer.Typer) -> None:
    """Add the group `tariff`."""
    group = typer.Typer(help=_HELP, no_args_is_help=True)
    for module in (publishing, rating, changing, explaining):
        module.register(group)
    app.add_typer(group, name="tariff", rich_help_panel="Operators")
