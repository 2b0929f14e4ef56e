"""`tariff check`, `publish`, `list`, `show` and `diff`: files, and the versions that they became."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ledger.domain.tariff import TariffHistory

_File = Annotated[Path, typer.Argument(help="The tariff file.")]
_Side = Annotated[str, typer.Argument(metavar="FILE|TARIFF@N", help="A tariff file, or a published version.")]
_STYLES = {"changed": "yellow", "added": "green", "removed": "red"}


def register(group: typer.Typer) -> None:
    """Add `tariff check`, `publish`, `list`, `show` and `diff`."""
    group.command("check", rich_help_panel="Without any service")(check)
    group.command("publish")(publish)
    group.command("list")(list_tariffs)
    group.command("show")(show)
    group.command("diff")(diff)


def check(file: _File) -> None:
    """Check a tariff file and name every error in it, each with its place and its remedy."""
    from console.tariffs.rating import compiled_file
    from ledger.rating.tariff import prepaid_errors

    tariff = compiled_file(file).tariff
    names = ", ".join(thing.component for thing in tariff.components)
    typer.echo(f"{file}: tariff {tariff.code!r} is good: {names} in {tariff.currency}")
    for error in prepaid_errors(tariff):
        typer.secho(f"{file}: for postpaid supply and simulation only: {error}", fg=typer.colors.YELLOW, err=True)


def publish(
    file: _File,
    note: Annotated[str, typer.Option(help="Why this version is published; auditors will read it.")],
    since: Annotated[
        str,
        typer.Option("--from", metavar="TIME", help="Since when it holds (ISO 8601 with zone); now if not given."),
    ] = "",
    proposed_by: Annotated[
        str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Who proposes it: your operator id.")
    ] = "",
    approved_by: Annotated[str, typer.Option(help="The other person who approved it, where it takes two.")] = "",
) -> None:
    """Publish a tariff file as the next version, in force from an instant on; nothing rewrites it afterwards.

    Once a tariff has billed somebody, its next version takes two people: with --proposed-by alone it is proposed,
    with --approved-by too it is published (see `wattledger policy four-eyes`).
    """
    from console.connection import opened_ledger
    from console.ordering import given_by, proposed
    from console.tariffs.files import instant_or, text_of
    from ledger.usecases.money.limits import NeedsApproval
    from ledger.usecases.money.proposals import PublishTariff
    from ledger.usecases.tariffs import Deciders, publish_tariff

    text = text_of(file)
    now = datetime.now(UTC)
    effective_from = instant_or(since, now)
    deciders = Deciders(proposed_by=proposed_by, approved_by=approved_by)
    with opened_ledger(os.environ) as ledger:
        try:
            version = publish_tariff(
                ledger, text=text, effective_from=effective_from, note=note, now=now, deciders=deciders
            )
        except NeedsApproval as error:
            if not proposed_by:
                raise NeedsApproval(f"{error}; say who proposes it (--proposed-by)") from None
            command = PublishTariff(text=text, effective_from=effective_from.isoformat(), note=note)
            by = given_by(operator=proposed_by, reason="new-version", key=None)
            typer.echo(f"{file}: {proposed(ledger, command, by=by, why=str(error))}")
            return
    typer.echo(f"{file}: published as version {version}")


def list_tariffs() -> None:
    """List every published version: since when it is in force, when it was published, and why."""
    from rich.console import Console

    from console.connection import finance_connection
    from console.tariffs.published import published_tariffs

    with finance_connection(os.environ) as connection:
        histories = published_tariffs(connection)
    Console(highlight=False).print(_versions_table(list(histories.values()), now=datetime.now(UTC)))


def show(
    tariff: Annotated[str, typer.Argument(help="The tariff's code.")],
    version: Annotated[int, typer.Option(min=0, help="Which version; the newest if 0.")] = 0,
) -> None:
    """Print a published version as the file that it was published from, so that it can be edited and published."""
    from console.connection import finance_connection
    from console.tariffs.published import published_version

    with finance_connection(os.environ) as connection:
        found = published_version(connection, tariff=tariff, version=version)
    typer.echo(f"# tariff {found.tariff}, version {found.version}, in force from {found.effective_from.isoformat()}")
    typer.echo(f"# published {found.recorded_at.isoformat(timespec='seconds')}: {' '.join(found.note.split())}")
    typer.echo(found.text.rstrip("\n"))


def diff(
    left: _Side,
    right: _Side,
    everything: Annotated[bool, typer.Option("--all", help="Show what stayed the same, too.")] = False,
) -> None:
    """Compare two tariffs component by component: what was added, removed or changed.

    wattledger tariff diff residential@3 draft.toml

    Exit code 0 where they are the same, 1 where they differ.
    """
    from rich.table import Table

    from console.tariffs.published import text_of_reference
    from console.tariffs.rating import compiled_text
    from console.tariffs.showing import wide_console
    from console.tariffs.side_by_side import compared

    texts = [text_of_reference(reference) for reference in (left, right)]
    for text, name in zip(texts, (left, right), strict=True):
        compiled_text(text, name=name)
    rows = compared(*texts)
    changed = [row for row in rows if row.change != "same"]
    table = Table("part", "key", left, right, "")
    part = ""
    for row in rows if everything else changed:
        style = _STYLES.get(row.change, "dim")
        shown = row.part if row.part != part else ""
        table.add_row(shown, row.key, row.left, row.right, row.change, style=style)
        part = row.part
    if everything or changed:
        wide_console().print(table)
    typer.echo(f"{len(changed)} of {len(rows)} settings differ" if changed else "they are the same")
    raise typer.Exit(1 if changed else 0)


def _versions_table(histories: "list[TariffHistory]", *, now: datetime) -> "Table":
    from rich.table import Table

    table = Table("tariff", "version", "in force from", "published", "note")
    for history in histories:
        current = history.version_at(now)
        for row in history.versions:
            table.add_row(
                history.code,
                f"{row.version}{' (in force)' if row == current else ''}",
                row.effective_from.isoformat(timespec="minutes"),
                row.recorded_at.isoformat(timespec="minutes"),
                row.note,
            )
    return table
