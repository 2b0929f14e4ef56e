"""Intervals in plain CSV to readings: columns meter, start, end, kwh and, where wanted, quality.

Times are ISO 8601 with their zone, `kwh` is a decimal, `quality` one of measured, substituted, estimated, unknown.
"""

import csv
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

from collectors.errors import BadFile
from collectors.nem12 import Nem12File
from collectors.nem12_fields import MOST_MILLIWH
from ledger import wire
from ledger.values.energy import milliwh_from_text
from ledger.values.errors import InvalidValue
from ledger.values.identity import interval_id
from ledger.values.instants import parse_instant

PROFILE = "csv"
_NEEDED = ("meter", "start", "end", "kwh")
_QUALITIES: tuple[wire.Quality, ...] = ("measured", "substituted", "estimated", "unknown")
T = TypeVar("T")


def parse_interval_csv(path: Path, *, meters: Mapping[str, str] | None = None) -> Nem12File:
    """Parse a CSV file of intervals; `meters` maps a meter in it to its serial, one not in it stands for itself.

    Raises BadFile naming every wrong line: a malformed file is refused whole.
    """
    try:
        content = path.read_bytes()
        reader = csv.DictReader(content.decode("utf-8-sig").splitlines(), strict=True)
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path=str(path), errors=[f"cannot be read: {error}"]) from None
    names = list(reader.fieldnames or [])
    errors = [f"column {name!r} is missing" for name in _NEEDED if name not in names]
    errors += [f"column {name!r} is not known" for name in names if name not in (*_NEEDED, "quality")]
    found: dict[str, list[wire.IntervalReading]] = {}
    try:
        for fields in () if errors else reader:
            reading = _Line(reader.line_num, fields, errors).reading(meters or {})
            if reading is not None:
                found.setdefault(str(fields["meter"]), []).append(reading)
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: {error}")
    readings = {meter: tuple(sorted(rows, key=lambda row: row.start)) for meter, rows in found.items()}
    for meter, rows in readings.items():
        errors += [
            f"{meter}: the intervals from {one.start.isoformat()} and {next_.start.isoformat()} overlap"
            for one, next_ in pairwise(rows)
            if next_.start < one.end
        ]
    if errors:
        raise BadFile(path=str(path), errors=errors)
    return Nem12File(sha256=hashlib.sha256(content).hexdigest(), readings=readings, ignored=(), kind=PROFILE)


class _Line:
    """One line being read; what is wrong with it goes to the file's errors."""

    def __init__(self, number: int, fields: "dict[str, str]", errors: list[str]) -> None:
        self._number = number
        self._fields = fields
        self._errors = errors

    def reading(self, meters: Mapping[str, str]) -> wire.IntervalReading | None:
        text = {name: self._fields.get(name) or "" for name in (*_NEEDED, "quality")}
        before = len(self._errors)
        start = self._checked("start", lambda: parse_instant(text["start"]))
        end = self._checked("end", lambda: parse_instant(text["end"]))
        milliwh = self._checked("kwh", lambda: milliwh_from_text(text["kwh"]))
        if not 1 <= len(text["meter"]) <= 64:
            self._tell(f"meter {text['meter']!r} is no name of 1 to 64 characters")
        quality = next((q for q in _QUALITIES if q == (text["quality"] or "measured")), None)
        if quality is None:
            self._tell(f"quality {text['quality']!r} is not known; use one of {', '.join(_QUALITIES)}")
        if milliwh is not None and not 0 <= milliwh <= MOST_MILLIWH:
            self._tell(f"kwh {text['kwh']} is not from 0 to {MOST_MILLIWH // 10**6}")
        if start is not None and end is not None and start >= end:
            self._tell(f"the interval ends at {text['end']}, not after its start {text['start']}")
        if len(self._errors) > before or start is None or end is None or milliwh is None or quality is None:
            return None
        raw = ",".join(text[name] for name in ("start", "end", "kwh", "quality"))
        return self._made(meters.get(text["meter"], text["meter"]), start, end, milliwh, quality, raw)

    @staticmethod
    def _made(
        meter: str, start: datetime, end: datetime, milliwh: int, quality: wire.Quality, raw: str
    ) -> wire.IntervalReading:
        return wire.IntervalReading(
            meter=meter,
            start=start,
            end=end,
            import_milliwh=milliwh,
            # A later file replaces what an earlier one gave for the same span, where its quality is better.
            supersedes=interval_id(meter=meter, start=start, end=end),
            quality=quality,
            profile=PROFILE,
            raw=raw,
        )

    def _checked(self, what: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except InvalidValue as error:
            self._tell(f"{what}: {error}")
            return None

    def _tell(self, problem: str) -> None:
        self._errors.append(f"line {self._number}: {problem}")
