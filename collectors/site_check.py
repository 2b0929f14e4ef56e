"""Reaching every meter of a site once, before it is put to work: who answers, what it shows, how its relay stands."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from collectors.daily_check import Told, same_serial
from collectors.decode import digits, relay_state
from collectors.errors import DecodeError, RequestFailed
from collectors.listeners import Listeners
from collectors.meter_reader import MeterReader
from collectors.metrics import CollectorMetrics
from collectors.modbus import NO_CONNECTION, Bus
from collectors.reading import reading_of
from collectors.site import Concentrator, Meter, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterCheck:
    """What one meter answered; `problem` is empty where all is as the site file says."""

    concentrator: str
    meter: Meter
    register_milliwh: int | None = None
    relay: str = ""
    took_s: float = 0.0
    problem: str = ""


async def check_site(site: Site, *, wait_s: float = 0.0) -> list[MeterCheck]:
    """Read every meter of a site once; terminals that dial in are waited for, up to `wait_s`."""
    listeners = Listeners(site=site, metrics=CollectorMetrics())
    await listeners.start()
    try:
        await listeners.all_here(within_s=wait_s)
        checks = await asyncio.gather(*(_concentrator(site, c, listeners) for c in site.concentrators))
    finally:
        await listeners.stop()
    return [check for each in checks for check in each]


def problems_of(checks: Iterable[MeterCheck]) -> int:
    """Count the meters that something is wrong with."""
    return sum(bool(check.problem) for check in checks)


async def _concentrator(site: Site, concentrator: Concentrator, listeners: Listeners) -> list[MeterCheck]:
    bus = Bus(
        line=listeners.line_to(concentrator),
        timeout_s=site.timeout_s(concentrator),
        pause_s=site.pause_s(concentrator),
    )
    checks: list[MeterCheck] = []
    try:
        for meter in concentrator.meters:
            # A gateway that cannot be reached answers for none of its meters: one time-out is enough.
            if checks and checks[0].problem.startswith(NO_CONNECTION):
                checks.append(MeterCheck(concentrator=concentrator.id, meter=meter, problem=checks[0].problem))
            else:
                checks.append(await checked_meter(concentrator.id, meter, bus, retries=site.request_retries))
    finally:
        bus.close()
    return checks


async def checked_meter(concentrator: str, meter: Meter, bus: Bus, *, retries: int) -> MeterCheck:
    """Read one meter: its serial where it tells one, its register, and its relay's state."""
    clock = asyncio.get_running_loop().time
    began_s = clock()
    register_milliwh, relay, problem = None, "", ""
    reader = MeterReader(meter=meter, bus=bus)
    try:
        problem = await _serial_problem(reader, retries)
        words = await reader.read(meter.profile.swept, retries=retries, needed=(meter.profile.total,))
        reading = reading_of(meter, words, read_at=datetime.now(UTC), told=Told())
        register_milliwh = None if reading.register is None else reading.register.import_milliwh
        relay = await _relay(reader, retries)
    except (RequestFailed, DecodeError) as error:
        problem = problem or str(error)
    return MeterCheck(
        concentrator=concentrator,
        meter=meter,
        register_milliwh=register_milliwh,
        relay=relay,
        took_s=clock() - began_s,
        problem=problem,
    )


async def _serial_problem(reader: MeterReader, retries: int) -> str:
    quantity = reader.meter.profile.serial
    if quantity is None or not quantity.checked:
        return ""
    words = await reader.read((quantity,), retries=retries)
    if quantity not in words:
        return ""
    told = digits(words[quantity], quantity=quantity, layout=reader.meter.profile.layout)
    known = reader.meter.serial
    return "" if same_serial(told, known) else f"another meter: it says {told}, the site file {known}"


async def _relay(reader: MeterReader, retries: int) -> str:
    profile = reader.meter.profile
    if profile.relay is None:
        return "none"
    words = await reader.read_words(
        function=profile.read_function, address=profile.relay.state_address, count=1, retries=retries
    )
    return relay_state(words[0], relay=profile.relay)
