"""`midnight`: how long an estate's time charges take, a tick per concentrator, at the end of a local date."""

import asyncio
import statistics
import time
from datetime import date, timedelta

from benchmarks.estate import concentrator, concentrators, found
from benchmarks.load import Message, publish
from benchmarks.pace import paced
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.report import Report
from benchmarks.stand import Stand, standing
from ledger import wire

_STANDING = """
[[charges]]
component = "standing"
kind = "daily"
price_per_day = "0.35"
"""
TARIFF = EVERYTHING.replace("[[levies]]", _STANDING + "[[levies]]", 1)
# The first whole local date of the estate's occupancies; with its tick the worker loads the supply points.
_FIRST_DATE = date(2026, 3, 2)


def measure(*, quick: bool) -> Report:
    """Let the worker take the ticks of some dates, each of the whole estate, and report the median date."""
    meters, dates = (10_000, 2) if quick else (100_000, 3)
    return measure_of(meters=meters, dates=dates)


def measure_of(*, meters: int, dates: int) -> Report:
    """Measure so many dates of an estate of so many supply points."""
    seconds = []
    with standing() as stand:
        found(stand.connection, meters=meters, tariff=TARIFF)
        stand.start("price")
        _charge(stand, meters, _FIRST_DATE)
        for number in range(1, dates + 1):
            seconds.append(_charge(stand, meters, _FIRST_DATE + timedelta(days=number)))
    median_s = statistics.median(seconds)
    report = Report("midnight", f"Time charges of {meters:,} supply points, median of {dates} dates")
    report.figures |= {"supplies": meters, "charges_per_s": meters / median_s, "seconds_for_all": median_s}
    return report


def _charge(stand: Stand, meters: int, day: date) -> float:
    """Publish a tick for every concentrator; return the seconds until all is charged."""
    before, began = stand.head(), time.monotonic()
    ticks = (_tick(concentrator(number), day) for number in range(concentrators(meters)))
    asyncio.run(publish(stand.stack.bootstrap, ticks))
    paced(stand.head, until=before + meters, check=stand.stack.supervisor.check)
    return time.monotonic() - began


def _tick(code: str, day: date) -> Message:
    return Message(code.encode(), wire.encode(wire.Tick(concentrator=code, local_date=day)), 0)
