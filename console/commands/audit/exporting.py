"""`audit export`: the ledger, or one account's part of it, as files."""

import os
from pathlib import Path
from typing import Annotated

import typer


def register(group: typer.Typer) -> None:
    """Add `export`."""
    group.command("export")(export_ledger)


def export_ledger(
    form: Annotated[str, typer.Option("--format", help="jsonl, csv, parquet or beancount.")] = "jsonl",
    account: Annotated[str, typer.Option(help="Only what touches this account; the whole ledger if not given.")] = "",
    at: Annotated[
        int | None, typer.Option(min=1, help="Up to this ledger position; the newest if not given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new or empty directory.")] = Path("wattledger-export"),
) -> None:
    """Write every event and its postings to files, with a manifest of their digests.

    Exports of the same position are the same to the last byte: compare two of them by their manifests.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from console.connection import finance_connection
    from projections.exports.export import MANIFEST, export

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        finance_connection(os.environ) as connection,
        Progress(*columns, console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task(f"exporting to {out}", total=None)
        manifest = export(
            connection,
            form=form,
            directory=out,
            account=account or None,
            position=at,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    for file in manifest.files:
        typer.echo(f"{file.sha256}  {out / file.name}  ({file.rows} rows)")
    typer.echo(f"{manifest.events} events up to position {manifest.position}; {out / MANIFEST} says what is in them")
