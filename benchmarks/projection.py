"""`projection`: events a second that the runner applies with all read models on, against pricing in the same run."""

import asyncio
import statistics

from benchmarks.estate import found
from benchmarks.load import Load, publish
from benchmarks.pace import Pace, paced
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.pricing import FULL_SIZE, QUICK_SIZE
from benchmarks.report import Report
from benchmarks.stand import Stand, standing

_BEHIND = "SELECT min(position) FROM projections.tracking"


def measure(*, quick: bool) -> Report:
    """Let the worker price a run, then let the runner catch up with it; several times over."""
    size = QUICK_SIZE if quick else FULL_SIZE
    pricings, projections = [], []
    with standing() as stand:
        found(stand.connection, meters=size.meters, tariff=EVERYTHING)
        projected(stand)
        load = Load(size.meters)
        for _ in range(size.runs):
            before = stand.head()
            readings = asyncio.run(publish(stand.stack.bootstrap, load.sweeps(size.rounds)))
            stand.launch("price")
            pace = paced(stand.head, until=before + readings, check=stand.stack.supervisor.check)
            stand.stack.await_healthy()
            stand.stop("price")
            pricings.append(pace.per_s)
            projections.append(projected(stand).per_s)
    pricing, projection = statistics.median(pricings), statistics.median(projections)
    report = Report("projection", f"All read models, median of {size.runs} runs")
    report.figures |= {
        "events_per_s": projection,
        "pricing_readings_per_s": pricing,
        "ratio_to_pricing": projection / pricing,
    }
    report.bars = ("a second", {"projection": projection, "pricing": pricing})
    return report


def projected(stand: Stand) -> Pace:
    """Let the runner catch up with the ledger, alone, and return how fast it did."""
    stand.launch("project")
    pace = paced(lambda: stand.number(_BEHIND), until=stand.head(), check=stand.stack.supervisor.check)
    stand.stack.await_healthy()
    stand.stop("project")
    return pace
