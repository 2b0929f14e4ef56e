"""Intervals in plain CSV: whole or not at all, and the same sweeps each time."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.errors import BadFile
from collectors.interval_csv import parse_interval_csv
from collectors.nem12 import import_sweeps

_GOOD = """meter,start,end,kwh,quality
A,2026-01-01T00:15:00+08:00,2026-01-01T00:30:00+08:00,0.25,estimated
A,2026-01-01T00:00:00+08:00,2026-01-01T00:15:00+08:00,0.125,
B,2026-01-01T00:00:00Z,2026-01-01T00:30:00Z,1,measured
"""


def _file(directory: Path, text: str) -> Path:
    path = directory / "intervals.csv"
    path.write_text(text)
    return path


def test_a_file_becomes_readings_in_order_with_their_source(tmp_path: Path) -> None:
    file = parse_interval_csv(_file(tmp_path, _GOOD), meters={"A": "400000000001"})
    first, second = file.readings["A"]
    assert (first.meter, first.import_milliwh, first.quality) == ("400000000001", 125_000, "measured")
    assert (second.import_milliwh, second.quality) == (250_000, "estimated")
    assert first.start == datetime(2025, 12, 31, 16, tzinfo=UTC)
    sweeps = import_sweeps(file, concentrators={"A": "files", "B": "files"})
    assert [sweep.sequence for sweep in sweeps] == [1, 2]
    assert sweeps[0].collector.startswith("csv.")
    assert sweeps == import_sweeps(file, concentrators={"A": "files", "B": "files"})


def test_every_wrong_line_is_named_and_nothing_is_read(tmp_path: Path) -> None:
    lines = [
        "A,2026-01-01T00:00:00,2026-01-01T00:15:00Z,1,",
        "A,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,1,",
        "A,2026-01-01T01:00:00Z,2026-01-01T01:15:00Z,-1,",
        "A,2026-01-01T02:00:00Z,2026-01-01T02:15:00Z,1e3,",
        "A,2026-01-01T03:00:00Z,2026-01-01T03:15:00Z,1,guessed",
        ",2026-01-01T04:00:00Z,2026-01-01T04:15:00Z,1,",
    ]
    with pytest.raises(BadFile) as refused:
        parse_interval_csv(_file(tmp_path, "meter,start,end,kwh,quality\n" + "\n".join(lines)))
    assert [error.split(":")[0] for error in refused.value.errors] == [f"line {number}" for number in range(2, 8)]


def test_intervals_that_overlap_and_columns_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="overlap"):
        parse_interval_csv(_file(tmp_path, _GOOD + "B,2026-01-01T00:15:00Z,2026-01-01T00:45:00Z,1,\n"))
    with pytest.raises(BadFile, match="column 'kwh' is missing"):
        parse_interval_csv(_file(tmp_path, "meter,start,end\n"))
