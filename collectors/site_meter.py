"""One meter of a site reached on its own, over whatever line it has: for who stands before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from collectors.errors import BadFile, CollectorError
from collectors.lines import Line
from collectors.listeners import Listeners
from collectors.meter_reader import MeterReader
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.site import Concentrator, Meter, Site


@asynccontextmanager
async def reaching(*, site: Site, serial: str, wait_s: float) -> AsyncIterator[tuple[Concentrator, MeterReader]]:
    """Reach a site's meter for as long as the block runs, waiting for its terminal where it dials in.

    Raises BadFile where the site has no such meter, CollectorError where a listener's port is taken.
    """
    concentrator, meter = _found(site, serial)
    listeners = Listeners(site=site, metrics=CollectorMetrics())
    line = listeners.line_to(concentrator)
    try:
        if listeners.plan_of(concentrator) is not None:
            await listeners.start()
            await _opened(line, wait_s)
        bus = Bus(line=line, timeout_s=site.timeout_s(concentrator), pause_s=site.pause_s(concentrator))
        try:
            yield concentrator, MeterReader(meter=meter, bus=bus)
        finally:
            bus.close()
    finally:
        await listeners.stop()


def _found(site: Site, serial: str) -> tuple[Concentrator, Meter]:
    for concentrator in site.concentrators:
        for meter in concentrator.meters:
            if meter.serial == serial:
                return concentrator, meter
    known = ", ".join(meter.serial for concentrator in site.concentrators for meter in concentrator.meters)
    raise BadFile(path="the site file", errors=[f"meter {serial!r} is not there; use one of {known}"])


async def _opened(line: Line, wait_s: float) -> None:
    deadline_s = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            await line.open()
        except CollectorError:
            if asyncio.get_running_loop().time() >= deadline_s:
                raise
            await asyncio.sleep(0.2)
        else:
            return
