"""`tariff rate` and `tariff quote`: what usage costs and what money buys, from a file alone."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from console.tariffs.rating import Circumstances

_PANEL = "Without any service"
_File = Annotated[Path, typer.Argument(help="The tariff file.")]
_Month = Annotated[
    str, typer.Option("--month-to-date", metavar="KWH", help="Used before, since the billing month began.")
]
_Year = Annotated[
    str, typer.Option("--year-to-date", metavar="KWH", help="Used before, since the tariff's year began.")
]
_At = Annotated[str, typer.Option(metavar="TIME", help="When (ISO 8601 with zone); now if not given.")]
_Class = Annotated[str, typer.Option("--class", metavar="CLASS", help="The account class, for its multiplier.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, amounts as decimal texts.")]


def register(group: typer.Typer) -> None:
    """Add `tariff rate` and `tariff quote`."""
    group.command("rate", rich_help_panel=_PANEL)(rate)
    group.command("quote", rich_help_panel=_PANEL)(quote)


def rate(  # noqa: PLR0913, PLR0917 - each is an option of the command
    file: _File,
    usage: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Usage with the header start,end,kwh (times with zone); also period, kvarh, kvah, demand_kw.",
        ),
    ] = None,
    quantity: Annotated[str, typer.Option(metavar="KWH", help="Instead of a file: so many kWh, used at --at.")] = "",
    month_to_date: _Month = "0",
    year_to_date: _Year = "",
    at: _At = "",
    account_class: _Class = "",
    contracted_kw: Annotated[str, typer.Option(metavar="KW", help="For charges per contracted kW.")] = "0",
    days: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="With --quantity: used evenly over N days from --at on (from the 1st of this month without --at),"
            " each with its charges per day; if not given, on the day of --at; 0 leaves charges per day out.",
        ),
    ] = None,
    close: Annotated[
        bool, typer.Option("--close", help="Close the billing period: a minimum charge falls due.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Rate usage under a tariff file and explain every line; no service runs, nothing is booked.

    wattledger tariff rate home.toml --quantity 650

    wattledger tariff rate home.toml --quantity 6 --month-to-date 222

    wattledger tariff rate home.toml --usage november.csv --close --json
    """
    from console.errors import ConsoleError
    from console.tariffs import rating, showing
    from console.tariffs.files import decimal_of, energy_of

    if (usage is None) == (quantity == ""):
        raise ConsoleError("give either --usage FILE.csv or --quantity KWH, as in --quantity 650")
    if usage is not None and days is not None:
        raise ConsoleError("--days is for --quantity; with --usage, days are those that its rows touch")
    known = replace(
        _circumstances(at, account_class, month_to_date, year_to_date),
        contracted_kw=decimal_of(contracted_kw, option="--contracted-kw"),
        days=days,
        closes_period=close,
    )
    compiled = rating.compiled_file(file, account_class=account_class)
    if days and not at:
        known = replace(known, at=rating.first_of_month(compiled, known.at))
    if usage is not None:
        bill = rating.rated_file(compiled, usage, known)
    else:
        bill = rating.rated_quantity(compiled, energy_of(quantity, option="--quantity"), known)
    if as_json:
        typer.echo(json.dumps(showing.bill_json(bill), indent=2, ensure_ascii=False))
    else:
        showing.show_bill(bill)


def quote(
    file: _File,
    amount: Annotated[str, typer.Option(metavar="MONEY", help="How much, in the tariff's currency: 50.00")],
    month_to_date: _Month = "0",
    year_to_date: _Year = "",
    at: _At = "",
    account_class: _Class = "",
    as_json: _Json = False,
) -> None:
    """Tell how much energy an amount buys: the most watt-hours, the lines that they cost, and the exact change.

    wattledger tariff quote home.toml --amount 50.00 --month-to-date 222
    """
    from console.tariffs import rating, showing
    from ledger.values.money import micros_from_text

    known = _circumstances(at, account_class, month_to_date, year_to_date)
    compiled = rating.compiled_file(file, account_class=account_class)
    quoted = rating.quoted(compiled, micros_from_text(amount), known)
    if as_json:
        found = showing.quote_json(quoted, currency=compiled.tariff.currency)
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        showing.show_quote(quoted, currency=compiled.tariff.currency)


def _circumstances(at: str, account_class: str, month_to_date: str, year_to_date: str) -> "Circumstances":
    from console.tariffs.files import energy_of, instant_or
    from console.tariffs.rating import Circumstances

    # What was used this month was used this year.
    return Circumstances(
        at=instant_or(at, datetime.now(UTC)),
        account_class=account_class,
        month_to_date_milliwh=energy_of(month_to_date, option="--month-to-date"),
        year_to_date_milliwh=energy_of(year_to_date or month_to_date, option="--year-to-date"),
    )
