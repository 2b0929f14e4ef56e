"""For operators: `site timetable`, the hours in which supplies are off, as in a dormitory at night."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ledger.domain.timetable import Timetable

_Site = Annotated[str, typer.Argument(help="The site's code.")]
_File = Annotated[Path, typer.Argument(help="The timetable file (TOML); see docs/switching.md.")]
_Operator = Annotated[str, typer.Option(envvar="WATTLEDGER_OPERATOR", help="Who does it: an id, never a name.")]
_From = Annotated[str, typer.Option("--from", metavar="TIME", help="Since when it holds; now if not given.")]
_Class = Annotated[str, typer.Option("--class", metavar="CLASS", help="Only for accounts of this class.")]
_Supply = Annotated[str, typer.Option("--supply", help="Only for this supply point.")]


def timetable_group() -> typer.Typer:
    """Return `site timetable`."""
    group = typer.Typer(help="Hours in which supplies are off, as in a dormitory at night.", no_args_is_help=True)
    group.command("check")(check)
    group.command("set")(set_timetable)
    group.command("withdraw")(withdraw)
    group.command("show")(show)
    return group


def check(file: _File) -> None:
    """Check a timetable file and name every error in it."""
    from console.tariffs.files import text_of
    from ledger.domain.timetable_file import read_timetable

    read_timetable(text_of(file))
    typer.echo(f"{file}: the timetable is good")


def set_timetable(
    site: _Site, file: _File, operator: _Operator, since: _From = "", account_class: _Class = "", supply: _Supply = ""
) -> None:
    """Set a timetable for a site, a class of accounts there, or one supply point; one without hours keeps them on."""
    from console.tariffs.files import text_of
    from ledger.domain.timetable_file import read_timetable

    _set(site, read_timetable(text_of(file)), operator, since, account_class, supply)


def withdraw(
    site: _Site, operator: _Operator, since: _From = "", account_class: _Class = "", supply: _Supply = ""
) -> None:
    """Withdraw a timetable: what is less particular holds again."""
    _set(site, None, operator, since, account_class, supply)


def _set(
    site: str, timetable: "Timetable | None", operator: str, since: str, account_class: str, supply: str
) -> None:
    from console.connection import opened_ledger
    from console.tariffs.files import instant_or
    from ledger.usecases import switching

    now = datetime.now(UTC)
    effective_from = instant_or(since, now)
    with opened_ledger(os.environ) as ledger:
        position = switching.set_timetable(
            ledger,
            site=site,
            timetable=timetable,
            effective_from=effective_from,
            operator=operator,
            now=now,
            account_class=account_class,
            supply=supply,
        )
    scope = _scope(account_class, supply)
    done = "set" if timetable is not None else "withdrawn"
    at = f"{effective_from:%Y-%m-%d %H:%M:%S} UTC"
    typer.echo(
        f"{site}: timetable of {scope}: {done} from {at} (position {position})"
        if position
        else f"{site}: timetable of {scope}: it stands like this already"
    )


def show(site: _Site) -> None:
    """Show every timetable of a site that was set, as the file that says it, and who is off by them now."""
    from console.connection import finance_connection, opened_ledger
    from ledger.domain.timetable_file import timetable_text
    from ledger.usecases.conditions import check_site
    from ledger.usecases.switching import timetables_of
    from projections.queries import relay_states

    with opened_ledger(os.environ) as ledger:
        check_site(ledger, site)
        rows = timetables_of(ledger, site=site)
    for row in rows:
        at = f"{row.effective_from:%Y-%m-%d %H:%M:%S} UTC"
        typer.echo(f"# {site}, {_scope(row.account_class, row.supply)}, from {at}, {row.operator}")
        typer.echo("# withdrawn\n" if row.timetable is None else timetable_text(row.timetable))
    if not rows:
        typer.echo(f"{site} has no timetable; nobody there is off by one")
        return
    with finance_connection(os.environ) as connection:
        states = relay_states(connection, now=datetime.now(UTC))
    off = [state.supply for state in states if state.site == site and "timetable" in state.locks]
    typer.echo(f"# off by a timetable now: {', '.join(off) or 'nobody'}")


def _scope(account_class: str, supply: str) -> str:
    if supply:
        return f"supply point {supply}"
    return f"class {account_class}" if account_class else "the site"
