"""`field`: how long a collector takes to sweep 1,000 meters behind ten concentrators, against the lines' own time.

The concentrators run in one process, the collector's sweeps with their spool in another, so that its CPU and memory
are its own. The lines are simulated at 9,600 baud: a sweep cannot be shorter than its frames on the wire.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkFailed
from benchmarks.field_line import LINE_TIME_S
from benchmarks.report import Report

_CONCENTRATORS = 10
_FULL_METERS_EACH, _QUICK_METERS_EACH = 100, 25
_FULL_SWEEPS, _QUICK_SWEEPS = 5, 2


def measure(*, quick: bool) -> Report:
    """Sweep a site several times over and report the median sweep, with what it cost."""
    meters_each = _QUICK_METERS_EACH if quick else _FULL_METERS_EACH
    line_s = meters_each * LINE_TIME_S
    with tempfile.TemporaryDirectory(prefix="wattledger-field-") as folder, _concentrators() as ports:
        site = Path(folder) / "site.toml"
        site.write_text(_site(ports, meters_each))
        found = _sweeps(site, _QUICK_SWEEPS if quick else _FULL_SWEEPS)
    if found["gaps"]:
        raise BenchmarkFailed(f"{found['gaps']} meters were not read; the figures would mean nothing")
    report = Report("field", f"{_CONCENTRATORS * meters_each:,} meters, {_CONCENTRATORS} concentrators, 9,600 baud")
    report.figures |= {
        "meters": _CONCENTRATORS * meters_each,
        "line_s": line_s,
        "sweep_s": found["sweep_s"],
        "ratio_to_line": found["sweep_s"] / line_s,
        "cpu_ms_per_reading": found["cpu_ms_per_reading"],
        "cpu_share_of_a_core": found["cpu_share"],
        "memory_mb": found["memory_mb"],
    }
    report.bars = ("seconds a sweep", {"the lines alone": line_s, "the collector": found["sweep_s"]})
    return report


@contextmanager
def _concentrators() -> Iterator[list[int]]:
    """Run the concentrators, giving their ports."""
    command = [sys.executable, "-m", "benchmarks.field_line", str(_CONCENTRATORS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def _sweeps(site: Path, sweeps: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.field_sweeps", str(site), str(sweeps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkFailed(f"the sweeps failed: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _site(ports: list[int], meters_each: int) -> str:
    lines = ["[collector]", 'id = "bench"', "poll_interval_s = 60"]
    for index, port in enumerate(ports):
        lines += ["[[concentrators]]", f'id = "C{index}"', 'host = "127.0.0.1"', f"port = {port}"]
        for unit in range(1, meters_each + 1):
            serial = f"{400_000_000_000 + index * 1000 + unit}"
            lines += ["[[concentrators.meters]]", f'serial = "{serial}"', f"unit = {unit}", f'supply = "S{serial}"']
    return "\n".join(lines)
