"""`projection`: events a second that the runner applies with all read models on, against pricing in the same run.

Against as many workers as there are cores, which is what a ledger can come to here, and against one alone.
"""

import statistics

from benchmarks.estate import found
from benchmarks.load import Load
from benchmarks.pace import Pace, paced
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.pricing import FULL_SIZE, QUICK_SIZE, WORKERS, worked_through
from benchmarks.report import Report
from benchmarks.stand import Stand, standing

_BEHIND = "SELECT min(position) FROM projections.tracking"


def measure(*, quick: bool) -> Report:
    """Let workers price a run, then let the runner catch up with it; several times over, alone and all together."""
    size = QUICK_SIZE if quick else FULL_SIZE
    rates: dict[int, list[float]] = {workers: [] for workers in sorted({1, WORKERS})}
    projections = []
    with standing() as stand:
        found(stand.connection, meters=size.meters, tariff=EVERYTHING)
        projected(stand)
        load = Load(size.meters)
        for _ in range(size.runs):
            for workers, pricings in rates.items():
                pricings.append(worked_through(stand, load, rounds=size.rounds, workers=workers).readings_per_s)
                projections.append(projected(stand).per_s)
    projection, single, pricing = (statistics.median(some) for some in (projections, rates[1], rates[WORKERS]))
    report = Report("projection", f"All read models, median of {size.runs} runs")
    report.figures |= {
        "events_per_s": projection,
        "pricing_readings_per_s": pricing,
        "workers": WORKERS,
        "ratio_to_pricing": projection / pricing,
        "one_worker_per_s": single,
        "ratio_to_one_worker": projection / single,
    }
    report.bars = ("a second", {"projection": projection, "pricing": pricing, "one worker": single})
    return report


def projected(stand: Stand) -> Pace:
    """Let the runner catch up with the ledger, alone, and return how fast it did."""
    stand.launch("project")
    pace = paced(lambda: stand.number(_BEHIND), until=stand.head(), check=stand.stack.supervisor.check)
    stand.stack.await_healthy()
    stand.stop("project")
    return pace
