"""`restart`: from the start of a worker, after kill -9 at full rate, until it prices at full rate again."""

import asyncio
import statistics
import time
from itertools import pairwise

from benchmarks.errors import BenchmarkFailed
from benchmarks.estate import found
from benchmarks.load import Load, publish
from benchmarks.pace import Pace, paced
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.report import Report
from benchmarks.stand import Stand, standing

# Full rate is reached when a window of this length goes at nearly the pace of the steady rest.
_WINDOW_S = 0.5
_NEARLY = 0.8
# Static membership: the worker that comes back is given its partitions at once, not after the dead one's session.
_INSTANCE = {"WATTLEDGER_KAFKA_INSTANCE": "bench"}


def measure(*, quick: bool) -> Report:
    """Kill and restart a worker several times, with sweeps waiting for it."""
    meters, rounds, runs = (20_000, 10, 1) if quick else (100_000, 5, 3)
    return measure_of(meters=meters, rounds=rounds, runs=runs)


def measure_of(*, meters: int, rounds: int, runs: int) -> Report:
    """Measure so many restarts, each with so many rounds of readings published before."""
    firsts, fulls = [], []
    with standing() as stand:
        found(stand.connection, meters=meters, tariff=EVERYTHING)
        load = Load(meters)
        stand.start("price", **_INSTANCE)
        for _ in range(runs):
            first_s, full_s = _restarted(stand, load, rounds)
            firsts.append(first_s)
            fulls.append(full_s)
    report = Report("restart", f"A worker of {meters:,} meters killed and started, median of {runs} runs")
    report.figures |= {
        "meters": meters,
        "first_debit_s": statistics.median(firsts),
        "full_rate_s": statistics.median(fulls),
    }
    return report


def _restarted(stand: Stand, load: Load, rounds: int) -> tuple[float, float]:
    before = stand.head()
    readings = asyncio.run(publish(stand.stack.bootstrap, load.sweeps(1)))
    paced(stand.head, until=before + readings // 2, check=stand.stack.supervisor.check)
    stand.kill("price")
    readings += asyncio.run(publish(stand.stack.bootstrap, load.sweeps(rounds)))
    began = time.monotonic()
    stand.launch("price", **_INSTANCE)
    started_s = time.monotonic() - began
    pace = paced(stand.head, until=before + readings, check=stand.stack.supervisor.check)
    return started_s + first_growth_s(pace), started_s + full_rate_s(pace)


def first_growth_s(pace: Pace) -> float:
    """Return when the first of it was there."""
    return next(at for at, count in zip(pace.times_s, pace.counts, strict=True) if count > 0)


def full_rate_s(pace: Pace) -> float:
    """Return when the first window begins that goes at nearly the steady rate."""
    steady = pace.per_s * _NEARLY
    samples = list(zip(pace.times_s, pace.counts, strict=True))
    marks = [samples[0]]
    for at, count in samples:
        if at - marks[-1][0] >= _WINDOW_S:
            marks.append((at, count))
    for (begin, earlier), (end, later) in pairwise(marks):
        if later > earlier and (later - earlier) / (end - begin) >= steady:
            return begin
    raise BenchmarkFailed(f"{pace.total} readings were too few to see the full rate; measure more of them")
