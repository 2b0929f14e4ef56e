"""The benchmarks' harness: what it makes of samples, and one benchmark, very small, through the real processes."""

import json
from pathlib import Path

import pytest

from benchmarks import midnight
from benchmarks.catalogue import BENCHMARKS
from benchmarks.errors import BenchmarkFailed
from benchmarks.pace import Pace, paced
from benchmarks.report import Report, Row, write
from benchmarks.restart import first_growth_s, full_rate_s


def test_the_steady_rate_leaves_out_the_start_and_the_last_bit() -> None:
    # Ten seconds of nothing, then a thousand a second, then a last one that dawdles.
    pace = Pace([0.0, 10.0, 11.0, 12.0, 13.0, 14.0, 60.0], [0, 0, 1_000, 2_000, 3_000, 4_000, 4_001])
    assert pace.per_s == 1_000


def test_too_few_samples_are_no_rate() -> None:
    with pytest.raises(BenchmarkFailed, match="too few"):
        _ = Pace([0.0, 1.0], [0, 10]).per_s


def test_what_goes_on_is_waited_for_and_what_stands_still_is_not() -> None:
    steps = iter(range(100))
    assert paced(lambda: next(steps), until=6, stall_s=0.2, check=lambda: None).total == 6
    counts = iter([0, 1])
    with pytest.raises(BenchmarkFailed, match="1 of 9, and none for"):
        paced(lambda: next(counts, 1), until=9, stall_s=0.1, check=lambda: None)


def test_full_rate_begins_with_the_first_window_that_goes_at_it() -> None:
    slow = [(0.1 * n, 0) for n in range(80)]
    warming = [(8.0 + 0.1 * n, 10 * n) for n in range(10)]
    full = [(9.0 + 0.1 * n, 100 + 500 * n) for n in range(100)]
    times_s, counts = zip(*slow, *warming, *full, strict=True)
    pace = Pace(list(times_s), list(counts))
    assert first_growth_s(pace) == pytest.approx(8.1)
    assert full_rate_s(pace) == pytest.approx(9.0, abs=0.6)


def test_figures_are_written_under_their_benchmarks_names(tmp_path: Path) -> None:
    report = Report("pricing", "a title", {"ratio_to_ceiling": 0.5}, [Row("flat", {"readings_per_s": 7})])
    write([report], tmp_path / "figures.json")
    document = json.loads((tmp_path / "figures.json").read_text())
    assert document == {"pricing": {"ratio_to_ceiling": 0.5, "flat": {"readings_per_s": 7}}}


def test_every_benchmark_of_the_plan_has_its_name() -> None:
    names = {"ceiling", "pricing", "library", "projection", "latency", "growth", "midnight", "restart"}
    assert names <= set(BENCHMARKS)


def test_a_small_estates_midnight_is_measured_through_the_real_worker() -> None:
    report = midnight.measure_of(meters=150, dates=1)
    assert report.figures["supplies"] == 150
    assert float(report.figures["charges_per_s"]) > 0
