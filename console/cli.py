"""The `wattledger` command: one module of commands per kind of user, errors without tracebacks."""

import importlib
import pkgutil
import sys
from typing import NoReturn

import typer

from console import commands

_OUR_PACKAGES = {"ledger", "streams", "collectors", "projections", "migrations", "console"}


def make_app() -> typer.Typer:
    """Gather the commands: every module in `console.commands` registers its own.

    Those modules import what they run only when they run it, so that help is quick, and so that an edge installation
    without the server's libraries has the edge's commands.
    """
    app = typer.Typer(
        name="wattledger",
        help="Prepaid electricity, billed as events.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Run the command line; an error of ours is one red message and exit code 2, anything else is a defect."""
    try:
        make_app()()
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in _OUR_PACKAGES:
            raise
        _fail(f"{error.name} is not installed: this command is a server's; install 'wattledger[server]'")
    except Exception as error:
        if not _is_ours(error):
            raise
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.secho(f"wattledger: {message}", fg=typer.colors.RED, err=True)
    sys.exit(2)


def _is_ours(error: Exception) -> bool:
    """Tell an error that one of our packages names from a defect, without importing any of their error roots."""
    return any(base.__module__.partition(".")[0] in _OUR_PACKAGES for base in type(error).__mro__)
