"""For who brings in data from files: intervals, billed like any collector's readings, estates, and payments."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from console.commands.account.options import Operator


def register(app: typer.Typer) -> None:
    """Add `import nem12`, `import csv`, `import estate` and `import bank`."""
    group = typer.Typer(help="Bring in readings, whole estates, and payments, from files.", no_args_is_help=True)
    for name, command in (("nem12", nem12), ("csv", intervals), ("estate", estate), ("bank", bank)):
        group.command(name)(command)
    app.add_typer(group, name="import", rich_help_panel="Operators")


def nem12(
    file: Annotated[Path, typer.Argument(help="The NEM12 interval file.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            "--map", help="NMI=SUPPLY: bill this NMI to that supply point. Without any: each to its own code."
        ),
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="How long to wait for the ledger, in s.")] = 60,
) -> None:
    """Bill a NEM12 file: its import-energy channels (E), summed per interval, once.

    The intervals are published to Kafka and priced like any collector's; this waits until the ledger has committed
    them, and tells how many are billed, held and superseded; exit code 1 where any is held. Giving the same file
    again changes nothing. A malformed file is refused whole, and so is one that begins before its supply points can
    be billed.
    """
    from collectors.logs import quiet_logs
    from console.importing import describe, import_nem12

    quiet_logs()
    pairs = [_pair(text) for text in mapping or []]
    report = asyncio.run(import_nem12(os.environ, file=file, mapping=dict(pairs), timeout_s=timeout_s))
    typer.echo(describe(report))
    raise typer.Exit(1 if report.held else 0)


def intervals(
    file: Annotated[Path, typer.Argument(help="A CSV file: meter, start, end, kwh and, where wanted, quality.")],
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="METER=SUPPLY. Without any: each to its own code.")
    ] = None,
    timeout_s: Annotated[float, typer.Option("--timeout", min=1, help="How long to wait for the ledger, in s.")] = 60,
) -> None:
    """Bill intervals from a CSV file, once, as `import nem12` does; times are ISO 8601 with their zone."""
    from collectors.interval_csv import parse_interval_csv
    from collectors.logs import quiet_logs
    from console.importing import describe, import_nem12

    quiet_logs()
    pairs = dict(_pair(text) for text in mapping or [])
    work = import_nem12(os.environ, file=file, mapping=pairs, timeout_s=timeout_s, parse=parse_interval_csv)
    report = asyncio.run(work)
    typer.echo(describe(report))
    raise typer.Exit(1 if report.held else 0)


def estate(
    file: Annotated[Path, typer.Argument(help="The estate as CSV, one supply point per row.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, book and write nothing.")] = False,
    sites: Annotated[Path | None, typer.Option(help="Write each collector's site file into this directory.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite site files that differ.")] = False,
) -> None:
    """Set up the supply points of an estate: each as `wattledger supply add` would, thousands at once.

    Columns: supply, site, concentrator, serial, unit, account, tariff, opening_kwh; optional: building, room,
    profile, max_power_w, ct (the transformers' product, such as 40 or 200/3), limit_w (the supply's own, whatever
    its transformers), class, contracted_kw, since, collector, host, port, and opening_kwh_PERIOD for each
    time-of-use register, such as opening_kwh_peak. Sites and tariffs must be there. Every error is told at once, and
    then nothing is done. Giving the same file again changes nothing.
    """
    from console.estate.command import import_estate

    for line in import_estate(os.environ, file=file, dry_run=dry_run, sites=sites, replace=replace):
        typer.echo(line)


def bank(
    file: Annotated[Path, typer.Argument(help="The bank's file, as CSV.")],
    mapping: Annotated[Path, typer.Option(help="How this bank writes its files: a TOML file.")],
    operator: Operator,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be booked, book nothing.")] = False,
) -> None:
    """Book what was paid into our bank account: a top-up where the payer names an account, else a kept receipt.

    Each line is booked once, however often it is imported and in however many files it is. What waits for somebody to
    know whose it is: `wattledger receipts list`. A line that cannot be read is told and keeps no other back; the exit
    code is 1 then. Needs WATTLEDGER_REFERENCE_KEY. docs/bank-files.md has the mapping file, with an example.
    """
    from rich.console import Console

    from console.bank.importing import import_bank_file
    from console.bank.showing import shown, summed_up
    from ledger.usecases.codes import checked_code

    checked_code(operator, what="operator")
    how, told = import_bank_file(os.environ, file=file, mapping=mapping, operator=operator, is_dry_run=dry_run)
    Console().print(shown(told, currency=how.currency))
    typer.echo(summed_up(told, currency=how.currency, is_dry_run=dry_run))
    raise typer.Exit(1 if any(one.outcome == "wrong" for one in told) else 0)


def _pair(text: str) -> tuple[str, str]:
    nmi, separator, supply = text.partition("=")
    if not separator or not nmi or not supply:
        raise typer.BadParameter(f"{text!r} is not NMI=SUPPLY")
    return nmi, supply
