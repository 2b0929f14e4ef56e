"""For whoever stands before a meter that was just hung: its commissioning, and booking the record of it."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collectors.site import Site
    from ledger.values.commissioning import CommissioningRecord

_KEY = "WATTLEDGER_COMMISSIONING_KEY"
_PUBLIC_KEYS = "WATTLEDGER_COMMISSIONING_PUBLIC_KEYS"


def register(app: typer.Typer) -> None:
    """Add `commission`."""
    app.command(rich_help_panel="Edge")(commission)


def commission(
    site: Annotated[Path, typer.Option(help="The site file that knows the meter.")],
    meter: Annotated[str, typer.Option(help="The meter's serial in the site file.")],
    operator: Annotated[str, typer.Option(help="Who does it: an opaque id, such as op-7.")],
    record: Annotated[
        Path | None,
        typer.Option(help="Write the signed record here, to be booked later; without it it is booked at once."),
    ] = None,
    min_load_w: Annotated[int, typer.Option(min=1, help="The load, in W, that must be on before the trip.")] = 50,
    timeout: Annotated[float, typer.Option(min=1, max=600, help="Seconds that each step may take.")] = 30.0,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a terminal that dials in.")] = 60.0,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the supply is switched off.")] = False,
) -> None:
    """Walk a meter through its commissioning: serial, reading, load, trip with the load falling, close.

    The supply is off for some seconds. A relay that is found open is left alone; one that was tripped is closed
    again whatever fails. A protected supply is not tripped. Stop the collector first where the meter is on a serial
    port, on a gateway that takes one connection only, or dials in.

    The result, good or bad, is booked where the ledger is reached from here; else give --record FILE: the record is
    signed with WATTLEDGER_COMMISSIONING_KEY and booked by `wattledger supply commissioned FILE`. Exit code 1 where
    a step failed.
    """
    from collectors.logs import quiet_logs
    from collectors.site import read_site
    from ledger.values.commissioning import commissioning_public_key_hex

    quiet_logs()
    read = read_site(site)
    if record is None:
        _check_ledger()
    else:
        commissioning_public_key_hex(os.environ.get(_KEY, ""))
    if not yes:
        typer.confirm(f"the supply behind meter {meter} will be off for some seconds. Go on?", abort=True)
    made = asyncio.run(
        _walked(read, serial=meter, operator=operator, min_load_w=min_load_w, timeout_s=timeout, wait_s=wait)
    )
    if record is None:
        typer.echo(_book(made))
    else:
        _write(made, record)
    raise typer.Exit(0 if made.passed else 1)


def commissioned(
    file: Annotated[Path, typer.Argument(help="The record that `wattledger commission --record` wrote.")],
) -> None:
    """Book a commissioning's record, passed or not, once; its signature must be of a known key.

    WATTLEDGER_COMMISSIONING_PUBLIC_KEYS holds the keys, with commas between them.
    """
    from console.errors import ConsoleError
    from ledger.values.commissioning import read_record

    keys = tuple(key.strip() for key in os.environ.get(_PUBLIC_KEYS, "").split(",") if key.strip())
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ConsoleError(f"{file} cannot be read: {error}; give the record's file") from None
    typer.echo(_book(read_record(text, public_keys_hex=keys)))


async def _walked(
    site: "Site", *, serial: str, operator: str, min_load_w: int, timeout_s: float, wait_s: float
) -> "CommissioningRecord":
    from collectors.commission import Commissioning, record_of
    from collectors.site_meter import reaching

    async with reaching(site=site, serial=serial, wait_s=wait_s) as (concentrator, reader):
        walk = await Commissioning(
            reader=reader,
            min_load_w=min_load_w,
            timeout_s=timeout_s,
            told=lambda step, found: typer.echo(f"{step:>10}  {found}"),
        ).run()
        return record_of(
            walk,
            meter=reader.meter,
            concentrator=concentrator.id,
            collector=site.collector,
            operator=operator,
            at=datetime.now(UTC),
        )


def _check_ledger() -> None:
    """Raise before anything is switched where the result could not be booked."""
    from console.errors import ConsoleError

    try:
        from console.connection import opened_ledger
    except ModuleNotFoundError:
        raise ConsoleError(
            "the ledger cannot be reached from this install; give --record FILE, and book it"
        ) from None
    with opened_ledger(os.environ):
        pass


def _book(record: "CommissioningRecord") -> str:
    from console.connection import opened_ledger
    from ledger.usecases.commissioning import record_commissioning

    with opened_ledger(os.environ) as ledger:
        position = record_commissioning(ledger, record, now=datetime.now(UTC))
    result = "commissioned" if record.passed else f"NOT commissioned, {record.failed} failed"
    return f"{record.supply}: {result} ({f'position {position}' if position else 'booked before'})"


def _write(record: "CommissioningRecord", file: Path) -> None:
    from ledger.values.commissioning import record_text, signed_record

    file.write_bytes(record_text(signed_record(record, private_key_hex=os.environ.get(_KEY, ""))))
    result = "passed" if record.passed else f"failed at {record.failed}"
    typer.echo(f"{record.supply}: {result}; book it with `wattledger supply commissioned {file.name}`")
