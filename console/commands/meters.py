"""For who stands before a meter: which profiles there are, whether one is sound, and what a meter shows."""

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collectors.probe import Shown

_SITE_OR_LINE = "give --site and --meter, or --profile and --unit with --host or --device"


class ParityChoice(StrEnum):
    """A serial line's parity bit."""

    NONE = "none"
    EVEN = "even"
    ODD = "odd"


def register(app: typer.Typer) -> None:
    """Add `collectors` with what it lists of profiles, meters and collectors."""
    group = typer.Typer(no_args_is_help=True, help="Meters' profiles, and what a meter shows.")
    for command in (profiles, check_profile, probe, heard, own_credit):
        group.command(command.__name__.replace("_", "-"))(command)
    app.add_typer(group, name="collectors", rich_help_panel="Edge")


def profiles() -> None:
    """List the profiles that come with Wattledger: model, what they know, how sure that is, and the source."""
    from rich.console import Console
    from rich.table import Table

    from collectors.profile_library import load_profile, profile_names

    table = Table("profile", "model", "total", "tells", "source")
    for name in profile_names():
        profile = load_profile(name)
        tells = [
            "time of use" if profile.periods else "",
            "serial" if profile.serial else "",
            "relay" if profile.relay else "",
            "own credit" if profile.credits else "",
        ]
        total = f"{profile.total.address:#06x} {profile.total.kind}, {profile.total.confidence}"
        table.add_row(name, profile.model, total, ", ".join(filter(None, tells)), profile.source)
    Console(width=max(160, Console().width)).print(table)


def heard() -> None:
    """Show when each concentrator's collector was last heard by the ledger, and how it fares by its own word."""
    from console.supplies.waiting_shown import show_heard

    show_heard(os.environ)


def own_credit(
    meter: Annotated[str, typer.Option(help="This meter only, by its serial.")] = "",
) -> None:
    """Show what meters tell of credit that they keep themselves, once a day, and whether it has changed.

    Raw, as their profiles know it, and never money: the accounts are the ledger's. A meter whose purchases or
    recharge log changed was loaded past them; one whose own credit runs out may open its relay by itself.
    """
    from console.supplies.waiting_shown import show_own_credit

    show_own_credit(os.environ, meter=meter or None)


def check_profile(
    file: Annotated[Path, typer.Argument(help="A profile (TOML); docs/profiles.md tells its keys.")],
) -> None:
    """Check a profile and its variants: every error at once, each with its place and its remedy."""
    from collectors.errors import BadFile
    from collectors.profile_file import check_profile as check

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path=str(file), errors=[f"cannot be read: {error}"]) from None
    for profile in check(path=str(file), text=text):
        rollover = f"{profile.total.modulus_milliwh} mWh" if profile.total.modulus_milliwh else "never"
        typer.echo(
            f"{profile.name}: {profile.model}; {len(profile.quantities)} quantities; total {profile.total.kind} at "
            f"{profile.total.address:#06x}, step {profile.total.resolution_milliwh} mWh, rolls over at {rollover}"
        )


def probe(  # noqa: PLR0913 - a meter can be reached in many ways
    *,
    site: Annotated[Path | None, typer.Option(help="The site file that knows the meter.")] = None,
    meter: Annotated[str, typer.Option(help="The meter's serial in the site file.")] = "",
    profile: Annotated[str, typer.Option(help="The profile to read by, without a site file.")] = "",
    unit: Annotated[int, typer.Option(min=1, max=247, help="The meter's unit id on its bus.")] = 1,
    host: Annotated[str, typer.Option(help="A gateway's host or address.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 502,
    rtu: Annotated[bool, typer.Option("--rtu", help="The gateway passes RTU frames on as they are.")] = False,
    device: Annotated[str, typer.Option(help="A serial port of this machine, such as /dev/ttyUSB0.")] = "",
    baud_rate: Annotated[int, typer.Option(min=300, max=1_000_000)] = 9600,
    parity: Annotated[ParityChoice, typer.Option()] = ParityChoice.NONE,
    timeout: Annotated[float, typer.Option(min=0.05, max=60, help="Seconds that an answer may take.")] = 1.0,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a terminal that dials in.")] = 60.0,
) -> None:
    """Read everything that one meter shows and print it raw and decoded, with units. Nothing is written.

    Stop the collector first where the meter is on a serial port, on a gateway that takes one connection only, or
    dials in. Exits with 1 where the register that is billed by could not be read.
    """
    from collectors.errors import BadFile
    from collectors.lines import SerialLine, tcp
    from collectors.logs import quiet_logs
    from collectors.probe import a_meter, has_total, probe_line, probe_site
    from collectors.site import read_site

    quiet_logs()
    if site is not None and meter and not (host or device or profile):
        shown = asyncio.run(probe_site(site=read_site(site), serial=meter, wait_s=wait))
    elif site is None and profile and bool(host) != bool(device):
        serial_line = SerialLine(device=device, baud_rate=baud_rate, parity=parity.value, stop_bits=1)
        line = tcp(host=host, port=port, rtu=rtu) if host else serial_line
        shown = asyncio.run(probe_line(line=line, meter=a_meter(profile=profile, unit=unit), timeout_s=timeout))
    else:
        raise BadFile(path="the command line", errors=[_SITE_OR_LINE])
    _print(shown)
    if not has_total(shown):
        raise typer.Exit(1)


def _print(shown: "list[Shown]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("quantity", "function", "address", "kind", "raw", "shows", "unit", "confidence")
    for row in shown:
        meaning = Text(row.meaning, style="red" if row.is_problem else "")
        place = (f"{row.function:02d}", f"{row.address:#06x}", row.kind, row.raw)
        table.add_row(row.name, *place, meaning, row.unit, row.confidence)
    Console(width=max(160, Console().width)).print(table)
