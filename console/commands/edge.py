"""For who works beside the meters: the collector, and the simulator that stands in for meters."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add `collect` and `simulate`."""
    for command in (collect, simulate):
        app.command(rich_help_panel="Edge")(command)


def collect(
    site: Annotated[
        Path | None, typer.Option(help="The site file (TOML): concentrators and meters. Or set WATTLEDGER_SITE_FILE.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only reach every meter once and show its answer; 1 where one fails.")
    ] = False,
    validate: Annotated[
        bool, typer.Option("--validate", help="Only read the site file and tell its errors.")
    ] = False,
    wait_s: Annotated[
        float,
        typer.Option("--wait", min=0, help="With --check: how long to wait for terminals that dial in, in s."),
    ] = 60.0,
) -> None:
    """Read meters over Modbus, publish what they show, and carry out relay orders.

    Runs beside the concentrators and needs nothing but them and the broker. Each sweep is kept on disk until the
    ledger has acknowledged it; while the broker is away, polling goes on.

    Settings: WATTLEDGER_KAFKA_BOOTSTRAP and WATTLEDGER_ORDER_PUBLIC_KEY are needed. WATTLEDGER_SPOOL,
    WATTLEDGER_METRICS_PORT, WATTLEDGER_HEARTBEAT (seconds, 30) and WATTLEDGER_KAFKA_IDEMPOTENCE (true for Apache
    Kafka) are optional. A signature beside the site file (`wattledger keys sign-site`) must be of that very file;
    WATTLEDGER_SITE_SIGNED=true makes it needed.

    Signals: SIGTERM and SIGINT end it. SIGUSR1 makes one final sweep of every meter and stops polling, while
    publishing goes on; all is delivered when wattledger_polling_stopped is 1 and wattledger_spool_sweeps is 0. SIGHUP
    reads the site file again and works by it; a wrong one is told and changes nothing.
    """
    from collectors.logs import configure_logs
    from collectors.process import collect as run
    from collectors.settings import read_settings

    if check or validate:
        _check(site, reach=check, wait_s=wait_s)
        return
    variables = dict(os.environ)
    if site is not None:
        variables["WATTLEDGER_SITE_FILE"] = str(site)
    settings = read_settings(variables)
    configure_logs()
    asyncio.run(run(settings))


def _check(site: Path | None, *, reach: bool, wait_s: float) -> None:
    from collectors.logs import quiet_logs
    from collectors.site import read_site
    from collectors.site_check import check_site, problems_of
    from console.check_table import check_table

    file = site or Path(os.environ.get("WATTLEDGER_SITE_FILE", "site.toml"))
    read = read_site(file)
    meters = sum(len(concentrator.meters) for concentrator in read.concentrators)
    if not reach:
        typer.echo(f"{file} is well: {len(read.concentrators)} concentrators, {meters} meters")
        return
    quiet_logs()
    checks = asyncio.run(check_site(read, wait_s=wait_s))
    typer.echo(check_table(checks))
    typer.echo(f"{meters - problems_of(checks)} of {meters} meters answered as they must")
    raise typer.Exit(1 if problems_of(checks) else 0)


def simulate(
    site: Annotated[Path, typer.Option(help="The site file (TOML); its concentrators' addresses are listened on.")],
    speed: Annotated[float, typer.Option(min=0.0, help="How much faster than the clock energy is used.")] = 1.0,
    state: Annotated[
        Path | None, typer.Option(help="Rewrite the registers' state here every second (JSON), and go on from it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the households' habits and opening registers.")] = 1,
    start: Annotated[
        str, typer.Option(help="When simulated time begins (ISO 8601 with zone); now if not given.")
    ] = "",
    registration: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PACKET",
            help=r"What terminals say as they dial in, such as 'ID={id}\r\n'; not given, usual ones are tried.",
        ),
    ] = None,
) -> None:
    """Stand in for a site's concentrators and their meters, of any profile, on every kind of line.

    Modbus TCP and RTU in TCP are served at the site file's addresses; in TLS the simulated gateway shows the site's
    own tls_certificate. A serial port is made as a pseudo-terminal at the path in `device`, which must not be there
    yet (such as /tmp/bus-1). Terminals dial in to the collector's listeners, register, beat and carry RTU frames.

    Registers advance as a household's would; an open relay stops them.

    Signals: SIGUSR1 freezes all registers for good and writes the state file at once; SIGTERM and SIGINT end it.
    """
    from collectors.logs import configure_logs
    from collectors.simulator.run import simulate as run
    from ledger.values.instants import parse_instant

    configure_logs()
    began = parse_instant(start) if start else None
    asyncio.run(
        run(site_file=site, speed=speed, seed=seed, state_file=state, start=began, packets=tuple(registration or ()))
    )
