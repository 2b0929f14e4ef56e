"""Usage from a CSV file with the header `start,end,kwh`; every error of a file is reported at once, with its line.

A row reads `2026-01-01T00:00:00+08:00,2026-01-01T01:00:00+08:00,0.42`.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation

from console.errors import ConsoleError
from ledger.rating.usage import Usage
from ledger.values.errors import InvalidValue
from ledger.values.instants import parse_instant

REQUIRED = ("start", "end", "kwh")
OPTIONAL = ("period", "kvarh", "kvah", "demand_kw")
_LARGEST = Decimal(10) ** 12
# More digits than any quantity has: the default context rounds at 28, silently.
_EXACT = Context(prec=100)


class UsageFileRefused(ConsoleError):
    """A usage file has errors; nothing of it was used."""


@dataclass(slots=True)
class _Reader:
    """Collects what is wrong with a file, by line, while it reads it."""

    known_periods: frozenset[str]
    rows: list[tuple[int, Usage]] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)

    def row(self, line: int, cells: dict[str, str]) -> None:
        before = len(self.errors)
        start, end = (self._instant(line, name, cells) for name in ("start", "end"))
        if start and end and start >= end:
            self.errors.append((line, f"end {cells['end']!r} is not after start {cells['start']!r}"))
        energy = self._scaled(line, "kwh", cells, places=6)
        reactive = self._scaled(line, "kvarh", cells, places=6)
        apparent = self._scaled(line, "kvah", cells, places=6)
        demand = self._scaled(line, "demand_kw", cells, places=3) if cells.get("demand_kw") else None
        period = cells.get("period", "")
        if period and period not in self.known_periods:
            known = ", ".join(sorted(self.known_periods)) or "none"
            self.errors.append((line, f"period {period!r} is not one of the tariff's; known: {known}"))
        if len(self.errors) == before and start and end:
            usage = Usage(
                start=start,
                end=end,
                import_milliwh=energy,
                period=period,
                reactive_millivarh=reactive,
                apparent_millivah=apparent,
                demand_w=demand,
            )
            self.rows.append((line, usage))

    def _instant(self, line: int, name: str, cells: dict[str, str]) -> datetime | None:
        try:
            return parse_instant(cells[name])
        except InvalidValue as error:
            self.errors.append((line, f"{name}: {error}"))
            return None

    def _scaled(self, line: int, name: str, cells: dict[str, str], *, places: int) -> int:
        """Return a decimal times 10 to the `places`, an integer; an empty optional cell is nothing used."""
        text = cells.get(name, "")
        if not text and name != "kwh":
            return 0
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite() or not 0 <= number <= _LARGEST:
            self.errors.append((line, f"{name} {text!r} is no quantity; give a decimal of 0 or more, such as 0.42"))
            return 0
        scaled = number.scaleb(places, _EXACT)
        if scaled != scaled.to_integral_value() or scaled.scaleb(-places, _EXACT) != number:
            self.errors.append((line, f"{name} {text!r} has more than {places} places; round it at its source"))
            return 0
        return int(scaled)


def read_usage(text: str, *, name: str, known_periods: frozenset[str]) -> list[Usage]:
    """Read a usage file's text into usages in the order of time.

    `known_periods` are the time-of-use periods that the column `period` may name. Raises UsageFileRefused.
    """
    reader = _Reader(known_periods)
    lines = csv.reader(io.StringIO(text))
    try:
        header = [cell.strip() for cell in next(lines, [])]
        reader.errors += [(1, problem) for problem in _header_problems(header)]
        if not reader.errors:
            for cells in lines:
                _take(reader, lines.line_num, header, cells)
            reader.rows.sort(key=lambda row: (row[1].start, row[1].end, row[0]))
            reader.errors += _overlaps(reader.rows)
    except csv.Error as error:
        reader.errors.append((lines.line_num, f"no CSV: {error}"))
    if not reader.errors and not reader.rows:
        reader.errors.append((2, "there is no usage; add a row below the header"))
    if reader.errors:
        told = "\n".join(f"  - line {line}: {problem}" for line, problem in sorted(reader.errors))
        raise UsageFileRefused(f"the usage file {name} is wrong:\n{told}")
    return [usage for _, usage in reader.rows]


def _take(reader: _Reader, line: int, header: Sequence[str], cells: Sequence[str]) -> None:
    if not any(cell.strip() for cell in cells):
        return
    if len(cells) != len(header):
        reader.errors.append((line, f"{len(cells)} columns where the header has {len(header)}"))
        return
    reader.row(line, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})


def _header_problems(header: Sequence[str]) -> list[str]:
    known = (*REQUIRED, *OPTIONAL)
    problems = [
        f"column {name!r} is missing; begin the file with start,end,kwh" for name in REQUIRED if name not in header
    ]
    problems += [f"column {name!r} is not known; known: {', '.join(known)}" for name in header if name not in known]
    problems += [f"column {name!r} is there twice" for name in known if header.count(name) > 1]
    return problems


def _overlaps(rows: Sequence[tuple[int, Usage]]) -> list[tuple[int, str]]:
    """Name the rows, ascending in time, that count time again: of the same register, or of the total and a part."""
    problems: list[tuple[int, str]] = []
    last: dict[str, tuple[datetime, int]] = {}
    for line, usage in rows:
        rivals = [last[name] for name in ({usage.period, ""} if usage.period else last) if name in last]
        until, other = max(rivals, default=(usage.start, line))
        if until > usage.start:
            problems.append((line, f"overlaps line {other}, which lasts until {until.isoformat()}; keep one of them"))
        if usage.period not in last or last[usage.period][0] < usage.end:
            last[usage.period] = (usage.end, line)
    return problems
