"""`growth`: pricing and projection as meters and events become many; bytes on disk, and memory in the worker.

What has grown is measured in turns with what has not, run by run, so that a ratio is of the same minutes. Meters are
measured when the worker has met each of them; how fast it meets them is told beside that.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.estate import found
from benchmarks.filling import fill
from benchmarks.load import Load
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.pricing import worked_through
from benchmarks.projection import projected
from benchmarks.report import Report, Row
from benchmarks.stand import Stand, standing


@dataclass(frozen=True, slots=True)
class Size:
    """Which estates and ledgers are measured, the smallest first, and by how many readings."""

    meters: tuple[int, ...]
    events: tuple[int, ...]
    meters_of_events: int
    readings: int
    runs: int

    def runs_of(self, meters: int) -> int:
        """How many runs an estate has: of one whose every round is more than all readings of a run, one is enough."""
        return 1 if meters > self.readings else self.runs


FULL_SIZE = Size((1_000, 100_000, 1_000_000), (0, 1_000_000, 20_000_000), 10_000, 400_000, 3)
QUICK_SIZE = Size((1_000, 5_000), (0, 50_000), 1_000, 30_000, 1)


def measure(*, quick: bool) -> Report:
    """Measure growth in both ways."""
    return measure_of(QUICK_SIZE if quick else FULL_SIZE)


def measure_of(size: Size) -> Report:
    """Measure estates of some sizes on an empty ledger, then a ledger of some sizes with the same estate."""
    report = Report("growth", f"Growth, median of {size.runs} runs")
    report.rows = [*_by_meters(size), *_by_events(size)]
    estate, ledger = (report.rows[number].figures for number in (len(size.meters) - 1, -1))
    report.figures |= {
        "ratio_to_1000_meters": estate["ratio_to_1000_meters"],
        "ratio_to_empty": ledger["ratio_to_empty"],
        "projected_ratio_to_1000_meters": estate["projected_ratio_to_1000_meters"],
        "projected_ratio_to_empty": ledger["projected_ratio_to_empty"],
        "disk_bytes_a_debit": ledger["disk_bytes_a_debit"],
        "worker_bytes_a_meter": estate["worker_bytes_a_meter"],
    }
    report.bars = ("readings a second", {row.name: float(row.figures["readings_per_s"]) for row in report.rows})
    return report


@dataclass(slots=True)
class Subject:
    """An estate on a ledger of its own, and what each of its runs showed."""

    stand: Stand
    load: Load
    rounds: int
    pricings: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    projections: list[float] = field(default_factory=list)
    disk: list[float] = field(default_factory=list)
    memory_bytes: int = 0

    def run(self) -> None:
        """Let the worker meet every meter, price so many rounds, then project all that."""
        before, head = _bytes_on_disk(self.stand), self.stand.head()
        worked = worked_through(self.stand, self.load, rounds=self.rounds, first_rounds=1)
        if worked.first is not None and self.load.meters >= _ENOUGH_TO_MEET:
            self.firsts.append(worked.first.per_s)
        self.pricings.append(worked.readings_per_s)
        self.memory_bytes = max(self.memory_bytes, worked.memory_bytes)
        self.disk.append((_bytes_on_disk(self.stand) - before) / (self.stand.head() - head))
        self.projections.append(projected(self.stand).per_s)

    def figures(self, *, runs: int) -> dict[str, float]:
        """Return the medians of the last runs."""
        met = {"meters_met_per_s": statistics.median(self.firsts[-runs:])} if self.firsts else {}
        return met | {
            "readings_per_s": statistics.median(self.pricings[-runs:]),
            "projected_per_s": statistics.median(self.projections[-runs:]),
            "disk_bytes_a_debit": round(statistics.median(self.disk[-runs:])),
            "worker_mb": self.memory_bytes / 1e6,
        }


# Of fewer, there is no rate to be seen at which they are met.
_ENOUGH_TO_MEET = 50_000


@contextmanager
def _subject(meters: int, size: Size) -> Iterator[Subject]:
    with standing() as stand:
        found(stand.connection, meters=meters, tariff=EVERYTHING)
        projected(stand)
        yield Subject(stand, Load(meters), max(1, size.readings // meters))


def _by_meters(size: Size) -> Iterator[Row]:
    """Measure each larger estate in turns with the smallest."""
    with _subject(size.meters[0], size) as smallest:
        idle_bytes = _idle_bytes(smallest.stand)
        rows = []
        for meters in size.meters[1:]:
            with _subject(meters, size) as larger:
                figures = _compared(smallest, larger, size.runs_of(meters), "1000_meters")
                grown = larger.memory_bytes - idle_bytes
                rows.append(Row(f"{meters:,} meters", figures | {"worker_bytes_a_meter": round(grown / meters)}))
        yield Row(f"{size.meters[0]:,} meters", smallest.figures(runs=len(smallest.pricings)))
        yield from rows


def _by_events(size: Size) -> Iterator[Row]:
    """Measure an estate whose ledger others fill meanwhile in turns with one whose ledger is its own."""
    with _subject(size.meters_of_events, size) as alone, _subject(size.meters_of_events, size) as beside:
        # What it is filled with is like what it wrote itself.
        beside.run()
        rows, filled = [], size.events[0]
        for events in size.events[1:]:
            fill(beside.stand.connection, events=events - filled, already=filled)
            filled = events
            figures = _compared(alone, beside, size.runs, "empty")
            rows.append(Row(f"{events:,} events before", figures))
        yield Row(f"{size.events[0]:,} events before", alone.figures(runs=len(alone.pricings)))
        yield from rows


def _compared(base: Subject, grown: Subject, runs: int, name: str) -> dict[str, float]:
    """Run both in turns; return the figures of the one that has grown, with its ratios to the other."""
    for _ in range(runs):
        base.run()
        grown.run()
    ratios = {
        f"ratio_to_{name}": _ratio(grown.pricings, base.pricings, runs),
        f"projected_ratio_to_{name}": _ratio(grown.projections, base.projections, runs),
    }
    return grown.figures(runs=runs) | ratios


def _ratio(ones: list[float], others: list[float], runs: int) -> float:
    """Return the median of the last runs' ratios, pair by pair."""
    return statistics.median(one / other for one, other in zip(ones[-runs:], others[-runs:], strict=True))


def _idle_bytes(stand: Stand) -> int:
    """Return the memory of a worker that has read nothing yet."""
    stand.start("price")
    idle = stand.memory_bytes("price")
    stand.stop("price")
    return idle


def _bytes_on_disk(stand: Stand) -> int:
    return stand.number("SELECT pg_total_relation_size('ledger.events')")
