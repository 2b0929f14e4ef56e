"""`audit archive`, `check-archive` and `load-archive`: closed months, kept outside the database with their proof."""

import os
from pathlib import Path
from typing import Annotated

import typer

Directories = Annotated[
    list[Path], typer.Argument(exists=True, file_okay=False, help="Archives, each going on where the last ends.")
]


def register(group: typer.Typer) -> None:
    """Add `archive`, `check-archive` and `load-archive`."""
    group.command("archive")(archive_month)
    group.command("check-archive")(check_archive_files)
    group.command("load-archive")(load_archive_files)


def archive_month(
    month: Annotated[str, typer.Argument(help="A closed month: 2026-07.")],
    out: Annotated[Path, typer.Option(help="A new directory.")],
) -> None:
    """Write a closed month's events to files, with the seals over them: to keep, and to check without the database.

    It holds what the ledger took in from after the closing before to this closing, each event held against its seal.
    Nothing leaves the database.
    """
    from console.audit.connecting import auditor_connection
    from console.errors import ConsoleError
    from ledger.domain.accounting_month import checked_month
    from ledger.integrity.archiving import write_archive

    with auditor_connection(os.environ) as connection:
        try:
            manifest = write_archive(connection, month=checked_month(month), directory=out)
        except OSError as error:
            raise ConsoleError(f"{out} cannot be written: {error}") from error
    typer.echo(
        f"{out}: {manifest.month}, positions {manifest.first_position} to {manifest.last_position} under seals"
        f" {manifest.first_seal} to {manifest.last_seal}"
    )


def check_archive_files(
    archives: Directories,
    public_key: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="A file with the sealer's public keys in hex, a line each."),
    ],
) -> None:
    """Check archives offline, with the public keys alone; exit code 1 where an event is not what was sealed."""
    from ledger.integrity.archive import check_archives, read_archive
    from ledger.integrity.keys import public_keys_from_text

    checked = check_archives(map(read_archive, archives), keys=public_keys_from_text(public_key.read_text()))
    for finding in checked.findings.in_order():
        typer.secho(f"BROKEN at {finding.where}", fg=typer.colors.RED, err=True)
        typer.echo(f"  expected: {finding.expected}\n  found:    {finding.found}", err=True)
    if checked.findings.told:
        raise typer.Exit(1)
    typer.echo(
        f"{checked.events} events, positions {checked.first} to {checked.last} under {checked.seals} seals:"
        " each is what was sealed"
    )


def load_archive_files(archives: Directories) -> None:
    """Load archives into an empty, migrated database, in order: to rebuild read models and replay accounts there.

    WATTLEDGER_DATABASE_URL is the owner's. What is loaded is for looking into: where Kafka stood is not in it.
    """
    from console.audit.connecting import auditor_connection
    from ledger.integrity.archive import read_archive
    from ledger.integrity.archiving import load_archive

    with auditor_connection(os.environ) as connection:
        for archive in map(read_archive, archives):
            load_archive(connection, archive)
            manifest = archive.manifest
            typer.echo(f"{archive.directory}: {manifest.month}, up to position {manifest.last_position}")
