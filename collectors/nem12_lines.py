"""The structure of a NEM12 file, line by line: what is wrong is named by its line, before anything is used.

Source: AEMO, Meter Data File Format Specification NEM12 & NEM13. The parser that reads the values (`nemreader`)
is lenient by intent: it skips records of the wrong length and lets a missing value be nothing. A bill cannot be.
"""

import csv
from dataclasses import dataclass, field

from collectors.nem12_fields import (
    MILLIWH_PER_UNIT,
    NMI,
    QUALITY,
    REASON_CODE,
    SUFFIX,
    WHOLE_NUMBER,
    date_problem,
    energy_problem,
    shown,
)

_MINUTES_PER_DAY = 1440
_INTERVAL_MINUTES = (5, 15, 30)
_HEADER_FIELDS = 5
_B2B_FIELDS = 5


@dataclass(slots=True)
class _Channel:
    nmi: str
    suffix: str
    unit: str
    minutes: int

    @property
    def is_import(self) -> bool:
        return self.suffix.startswith("E")


@dataclass(slots=True)
class _Day:
    line: int
    quality: str
    covered: set[int] = field(default_factory=set)


class Nem12Check:
    """Goes through a file's lines in order and collects what is wrong with them."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._channel: _Channel | None = None
        self._day: _Day | None = None
        self._days: dict[tuple[str, str, str], int] = {}
        self._ended_at: int | None = None
        self._line = 0

    def file(self, text: str) -> tuple[str, ...]:
        """Check a whole file; returns the errors found, each naming its line."""
        for self._line, line in enumerate(text.splitlines() or [""], start=1):
            row = self._fields(line)
            if self._line > 1 and row:
                self._row(row)
            elif self._line == 1 and row[:2] != ["100", "NEM12"]:
                return ("line 1: is no NEM12 header (100,NEM12,...); give a NEM12 file",)
            elif self._line == 1:
                self._long_enough(row, _HEADER_FIELDS)
        self._close_day()
        if self._ended_at is None:
            self._wrong("the end record 900 is missing; the file was cut short, fetch it again")
        return tuple(self.errors)

    def _fields(self, line: str) -> list[str]:
        """Split a line by itself: a quote that is not closed must not swallow the lines after it."""
        odd = next((letter for letter in line if not (letter.isprintable() or letter.isspace())), None)
        if odd is not None:
            self._wrong(f"holds the character {odd!r}, which no record has; fetch the file again")
            return []
        try:
            return next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            self._wrong(f"cannot be split into fields ({error}); fetch the file again")
            return []

    def _long_enough(self, row: list[str], needed: int) -> None:
        if len(row) < needed:
            self._wrong(f"record {row[0]} has {len(row)} fields; it needs {needed}")

    def _row(self, row: list[str]) -> None:
        if self._ended_at is not None:
            self._wrong(f"record {row[0]} stands after the end record 900 of line {self._ended_at}")
            return
        if row[0] not in ("400", "500"):
            self._close_day()
        match row[0]:
            case "200":
                self._details(row)
            case "300":
                self._interval(row)
            case "400":
                self._event(row)
            case "500":
                self._long_enough(row, _B2B_FIELDS)
                if self._channel is None:
                    self._wrong("record 500 stands before any 200")
            case "900":
                self._ended_at = self._line
            case other:
                self._wrong(f"{shown(other)} is no record of NEM12; use 100, 200, 300, 400, 500 and 900")

    def _details(self, row: list[str]) -> None:
        self._channel = None
        if len(row) < 9 or not row[1] or not row[4]:
            self._wrong("record 200 needs an NMI, a suffix, a unit and an interval length")
            return
        if not WHOLE_NUMBER.fullmatch(row[8]) or int(row[8]) not in _INTERVAL_MINUTES:
            self._wrong(f"interval length {shown(row[8])} is not 5, 15 or 30 minutes")
            return
        if not NMI.fullmatch(row[1]):
            self._wrong(f"{shown(row[1])} is no NMI; an NMI has 1 to 10 letters and digits")
        if not SUFFIX.fullmatch(row[4]):
            self._wrong(
                f"{shown(row[4])} is no suffix; it is a capital letter and a digit or capital letter, such as E1"
            )
        self._channel = _Channel(nmi=row[1], suffix=row[4], unit=row[7].upper(), minutes=int(row[8]))
        if self._channel.is_import and self._channel.unit not in MILLIWH_PER_UNIT:
            self._wrong(f"unit {shown(row[7])} of channel {row[4]} is not kWh, Wh or MWh")

    def _interval(self, row: list[str]) -> None:
        if self._channel is None:
            self._wrong("record 300 has no usable 200 before it")
            return
        count = _MINUTES_PER_DAY // self._channel.minutes
        if len(row) < count + 6:
            self._wrong(
                f"record 300 has {len(row)} fields; {self._channel.minutes} minute intervals need {count + 6}"
            )
            return
        quality = row[count + 2]
        self._day = _Day(self._line, quality)
        if not QUALITY.fullmatch(quality):
            self._wrong(f"{shown(quality)} after {count} values is no quality; the number of values is wrong")
        self._reason_code(row[count + 3])
        self._date(row[1])
        for number, value in enumerate(row[2 : count + 2], start=1):
            self._value(number, value)

    def _date(self, text: str) -> None:
        if self._channel is None:
            return
        problem = date_problem(text)
        if problem is not None:
            self._wrong(problem)
            return
        key = (self._channel.nmi, self._channel.suffix, text)
        if key in self._days:
            self._wrong(f"{key[0]} {key[1]} has {text} already in line {self._days[key]}; it would count twice")
        self._days.setdefault(key, self._line)

    def _value(self, number: int, text: str) -> None:
        if self._channel is None:
            return
        problem = energy_problem(text, unit=self._channel.unit, is_import=self._channel.is_import)
        if problem is not None:
            self._wrong(f"value {number} is {problem}")

    def _reason_code(self, text: str) -> None:
        if not REASON_CODE.fullmatch(text):
            self._wrong(f"{shown(text)} is no reason code; it has up to three digits")

    def _event(self, row: list[str]) -> None:
        if self._channel is None or self._day is None:
            self._wrong("record 400 has no 300 before it")
            return
        count = _MINUTES_PER_DAY // self._channel.minutes
        if len(row) < 6 or not (WHOLE_NUMBER.fullmatch(row[1]) and WHOLE_NUMBER.fullmatch(row[2])):
            self._wrong("record 400 needs a first interval, a last interval, a quality and two reason fields")
            return
        first, last = int(row[1]), int(row[2])
        if not 1 <= first <= last <= count:
            self._wrong(f"intervals {first} to {last} are not within 1 to {count}")
            return
        if not QUALITY.fullmatch(row[3]) or row[3].startswith("V"):
            self._wrong(f"{shown(row[3])} is no quality of an interval")
        self._reason_code(row[4])
        events = set(range(first, last + 1))
        if events & self._day.covered:
            self._wrong(f"intervals {first} to {last} overlap an earlier 400 of this day")
        self._day.covered |= events

    def _close_day(self) -> None:
        """A day of quality V says nothing itself: its 400 records must cover it."""
        day, self._day = self._day, None
        if day is None or self._channel is None or not day.quality.startswith("V"):
            return
        missing = _MINUTES_PER_DAY // self._channel.minutes - len(day.covered)
        if missing:
            self.errors.append(f"line {day.line}: quality V, but no 400 record covers {missing} of its intervals")

    def _wrong(self, problem: str) -> None:
        self.errors.append(f"line {self._line}: {problem}")
