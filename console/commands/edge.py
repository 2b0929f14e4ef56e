"""Commands for those who run things beside the meters: the collector, and the simulator in its place."""

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.values.errors import LedgerError


def register(app: typer.Typer) -> None:
    """Add `collect` and `simulate` to the command line."""
    app.command()(collect)
    app.command()(simulate)


def collect(
    site: Annotated[
        Path | None, typer.Option(help="The site file (TOML): concentrators and meters. Or set WATTLEDGER_SITE_FILE.")
    ] = None,
) -> None:
    """Read meters over Modbus, keep each sweep in a spool, publish it, and carry out relay orders.

    Runs beside the concentrators and needs nothing but them and the broker; when the broker is away it goes on
    polling and keeps what it reads. A sweep leaves the spool only when the ledger has acknowledged it.

    Settings: WATTLEDGER_KAFKA_BOOTSTRAP and WATTLEDGER_ORDER_PUBLIC_KEY are needed; WATTLEDGER_SPOOL,
    WATTLEDGER_METRICS_PORT and WATTLEDGER_KAFKA_IDEMPOTENCE (true for Apache Kafka) are optional.

    Signals: SIGTERM and SIGINT end it; SIGUSR1 makes one final sweep of every meter and then stops polling, while
    publishing goes on. It is drained when wattledger_polling_stopped is 1 and wattledger_spool_sweeps is 0.
    """
    # Imported here, so that the server's commands do not wait for the edge's libraries.
    from collectors.collect import collect as run
    from collectors.settings import read_settings

    variables = dict(os.environ)
    if site is not None:
        variables["WATTLEDGER_SITE_FILE"] = str(site)
    try:
        settings = read_settings(variables)
    except LedgerError as error:
        raise _failed(error) from None
    _run(run(settings))


def simulate(
    site: Annotated[Path, typer.Option(help="The site file (TOML); its concentrators' addresses are listened on.")],
    speed: Annotated[float, typer.Option(min=0.0, help="How much faster than the clock energy is used.")] = 1.0,
    state: Annotated[
        Path | None, typer.Option(help="Rewrite the registers' state here every second (JSON), and go on from it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the households' habits and opening registers.")] = 1,
) -> None:
    """Stand in for a site's concentrators and their Acrel DDSY1352 meters, over real Modbus TCP.

    Registers advance as a household's would; an open relay stops them. Every serial must have 12 digits.

    Signals: SIGUSR1 freezes all registers for good and writes the state file at once; SIGTERM and SIGINT end it.
    """
    from collectors.simulator.run import simulate as run

    _run(run(site_file=site, speed=speed, seed=seed, state_file=state))


def _run(work: Coroutine[Any, Any, None]) -> None:
    from collectors.errors import CollectorError

    try:
        asyncio.run(work)
    except (CollectorError, LedgerError, OSError) as error:
        raise _failed(error) from None


def _failed(error: Exception) -> typer.Exit:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    return typer.Exit(code=1)
