"""For who looks after read models: list them, compare their digests, rebuild one from event one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

_Name = Annotated[str, typer.Argument(help="A projection, as `wattledger projections list` names it.")]


def register(app: typer.Typer) -> None:
    """Add `projections list`, `projections digest` and `projections rebuild`."""
    group = typer.Typer(help="Read models: fed from the ledger, and rebuilt from it.", no_args_is_help=True)
    group.command("list")(list_projections)
    group.command("digest")(digest)
    group.command("rebuild")(rebuild)
    app.add_typer(group, name="projections", rich_help_panel="Finance")


def list_projections() -> None:
    """Show every projection with its position and how many events it has not seen."""
    from rich.console import Console
    from rich.table import Table

    from projections.overview import overview

    with _database() as url:
        found = overview(url)
    table = Table("projection", "tables", "position", "lag")
    for row in found:
        table.add_row(row.name, ", ".join(row.tables), str(row.position), str(row.lag_events))
    Console().print(table)


def digest(name: Annotated[str, typer.Argument(help="A projection; all of them without.")] = "") -> None:
    """Print each projection's name, position and content digest."""
    from projections.overview import digests

    with _database() as url:
        for row in digests(url, name=name or None):
            typer.echo(f"{row.name} {row.position} {row.digest}")


def rebuild(name: _Name) -> None:
    """Rebuild a projection from event one, swap it in and compare; exit code 1 when the live one was different."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from projections.rebuild import rebuild as rebuilt_from

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _database() as url, Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"rebuilding {name}", total=None)
        rebuilt = rebuilt_from(
            url, name, progress=lambda done, upto: progress.update(task, completed=done, total=upto)
        )
    typer.echo(f"{name}: {rebuilt.events} events up to position {rebuilt.position}, digest {rebuilt.digest}")
    if rebuilt.is_equal:
        typer.echo("equal to the live projection")
        return
    typer.secho(
        f"the live projection was different (digest {rebuilt.live_digest_before}); the rebuilt one has replaced it",
        fg=typer.colors.RED,
        err=True,
    )
    raise typer.Exit(1)


@contextmanager
def _database() -> Iterator[str]:
    """Give the database's URL; what PostgreSQL refuses becomes an error of ours, without a traceback."""
    import psycopg

    from console.connection import database_url
    from projections.errors import DatabaseFailed

    try:
        yield database_url(os.environ, role="wattledger_projector")
    except psycopg.Error as error:
        raise DatabaseFailed(
            f"the database refused: {str(error).strip()}; is WATTLEDGER_DATABASE_URL right?"
        ) from error
