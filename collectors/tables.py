"""Reading TOML files so that every error is found at once, each with its place and its remedy."""

import re
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from collectors.errors import BadFile

T = TypeVar("T")

# What the ledger takes for a code (a test compares them): by these names it knows what a site file speaks of, and
# they are short enough for the wire, so that no sweep can become a dead letter that blocks those after it.
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_LARGEST = 10**12


class Table:
    """One table of a TOML file: ask for each key once, then `check()` on the file's root.

    All tables of a file share one list of errors. A wrong value answers a harmless stand-in, so that reading
    goes on to find the rest; nothing read is to be used before `check()` has passed.
    """

    def __init__(self, *, path: str, content: Mapping[str, object], place: str, errors: list[str]) -> None:
        self._path = path
        self._content = content
        self._place = place
        self._errors = errors
        self._asked: set[str] = set()
        # Keys that may be there: named to whoever writes one that is not known.
        self._optional: set[str] = set()
        self._children: list[Table] = []

    def has(self, key: str) -> bool:
        """Tell whether the key is there."""
        self._optional.add(key)
        return key in self._content

    def names(self) -> tuple[str, ...]:
        """Return the table's keys in the file's order."""
        return tuple(self._content)

    def text(self, key: str, *, default: str | None = None, remedy: str = "write it as text in quotes") -> str:
        """Return a text that is not empty."""
        value = self._value(key, default, remedy)
        if not isinstance(value, str) or not value.strip():
            return self._wrong(key, value, remedy, "")
        return value

    def code(self, key: str, *, remedy: str) -> str:
        """Return a name that the ledger takes for a code; `remedy` says what to name."""
        remedy = f"{remedy}, in 1 to 64 letters, digits or . _ : / - (begin with a letter or digit)"
        value = self._value(key, None, remedy)
        if not isinstance(value, str) or not _CODE.fullmatch(value):
            return self._wrong(key, value, remedy, "")
        return value

    def choice(self, key: str, *, among: tuple[str, ...], default: str | None = None) -> str:
        """Return one of a few words."""
        remedy = "use one of " + ", ".join(among)
        value = self._value(key, default, remedy)
        if value not in among or not isinstance(value, str):
            return self._wrong(key, value, remedy, among[0])
        return value

    def integer(self, key: str, *, minimum: int, maximum: int, default: int | None = None) -> int:
        """Return an integer within its bounds, both included."""
        remedy = f"use a whole number from {minimum} to {maximum}"
        value = self._value(key, default, remedy)
        if type(value) is not int or not minimum <= value <= maximum:
            return self._wrong(key, value, remedy, minimum)
        return value

    def seconds(self, key: str, *, minimum: float, maximum: float, default: float | None = None) -> float:
        """Return a duration in seconds within its bounds, both included."""
        remedy = f"use seconds from {minimum:g} to {maximum:g}"
        value = self._value(key, default, remedy)
        if type(value) not in (int, float) or not isinstance(value, int | float) or not minimum <= value <= maximum:
            return self._wrong(key, value, remedy, minimum)
        return float(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        value = self._value(key, default, "use true or false")
        if not isinstance(value, bool):
            return self._wrong(key, value, "use true or false", default)
        return value

    def integers(self, key: str, *, maximum: int) -> tuple[int, ...]:
        """Return a list of integers from 0 to `maximum` that is not empty."""
        remedy = f"use a list of whole numbers from 0 to {maximum}"
        value = self._value(key, None, remedy)
        if isinstance(value, list) and value and all(type(v) is int and 0 <= v <= maximum for v in value):
            return tuple(value)
        return self._wrong(key, value, remedy, (0,))

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; none where the key is not there."""
        value = self._value(key, [], "")
        if isinstance(value, list) and all(isinstance(v, str) and v for v in value):
            return tuple(value)
        return self._wrong(key, value, "use a list of texts in quotes", ())

    def fraction(self, key: str, *, default: str | None = None, remedy: str = "") -> Fraction:
        """Return a number above 0, written as a decimal in quotes or as a whole number: never a float."""
        remedy = remedy or 'write a decimal above 0 in quotes, such as "0.01"'
        value = self._value(key, default, remedy)
        if type(value) is int and 0 < value <= _LARGEST:
            return Fraction(value)
        if isinstance(value, str) and _DECIMAL.fullmatch(value) and 0 < Fraction(value) <= _LARGEST:
            return Fraction(value)
        return self._wrong(key, value, remedy, Fraction(1))

    def table(self, key: str) -> "Table":
        """Return the table under a key."""
        value = self._value(key, None, f"add a [{self._joined(key)}] table")
        if not isinstance(value, dict):
            self._wrong(key, value, f"add a [{self._joined(key)}] table", None)
            value = {}
        return self._child(value, self._joined(key))

    def unchecked_table(self, key: str) -> "Table":
        """Return the table under a key, to be read in another way: its own keys are not reported as unknown."""
        self._asked.add(key)
        value = self._content.get(key)
        if not isinstance(value, dict):
            self._wrong(key, value, f"add a [{self._joined(key)}] table", None)
            value = {}
        return Table(path=self._path, content=value, place=self._joined(key), errors=self._errors)

    def overlaid(self, over: "Table") -> "Table":
        """Return a root table like this one, with another's keys laid over it, table by table."""
        return Table(path=self._path, content=_overlaid(self._content, over._content), place="", errors=self._errors)

    def tables(self, key: str) -> "tuple[Table, ...]":
        """Return the array of tables under a key; there is at least one."""
        remedy = f"add a [[{self._joined(key)}]] table"
        value = self._value(key, None, remedy)
        if not isinstance(value, list) or not value or not all(isinstance(entry, dict) for entry in value):
            return self._wrong(key, value, remedy, ())
        return tuple(self._child(entry, f"{self._joined(key)}[{n}]") for n, entry in enumerate(value, start=1))

    def optional_tables(self, key: str) -> "tuple[Table, ...]":
        """Return the array of tables under a key, none where the key is not there."""
        self._asked.add(key)
        return self.tables(key) if self.has(key) else ()

    def wrong(self, key: str, problem: str) -> None:
        """Report an error that only the caller can see, `problem` saying what to do about it."""
        self._errors.append(f"{self._joined(key)}: {problem}")

    def check(self) -> None:
        """Raise BadFile with every error found, unknown keys among them."""
        self._report_unknown()
        if self._errors:
            raise BadFile(path=self._path, errors=self._errors)

    def _report_unknown(self) -> None:
        for key in self._content:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked | self._optional))
                self._errors.append(f"{self._joined(key)}: is not known here; remove it, or use one of {known}")
        for child in self._children:
            child._report_unknown()

    def _child(self, content: Mapping[str, object], place: str) -> "Table":
        child = Table(path=self._path, content=content, place=place, errors=self._errors)
        self._children.append(child)
        return child

    def _value(self, key: str, default: object, remedy: str) -> object:
        self._asked.add(key)
        if key not in self._content and default is None:
            self._errors.append(f"{self._joined(key)}: is missing; {remedy}")
        return self._content.get(key, default)

    def _wrong(self, key: str, value: object, remedy: str, stand_in: T) -> T:
        if key in self._content:
            self._errors.append(f"{self._joined(key)}: {value!r} is wrong; {remedy}")
        return stand_in

    def _joined(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place else key


def _overlaid(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    result = dict(below)
    for key, value in above.items():
        lower = result.get(key)
        both = isinstance(lower, dict) and isinstance(value, dict)
        result[key] = _overlaid(lower, value) if both else value  # type: ignore[arg-type]
    return result


def read_table(*, path: str, text: str) -> Table:
    """Parse a TOML text into its root table; raises BadFile where it is not TOML."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(path=path, errors=[f"this is not TOML: {error}"]) from None
    return Table(path=path, content=content, place="", errors=[])


def read_file(path: Path) -> Table:
    """Read a TOML file into its root table; raises BadFile where it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(path=str(path), errors=[f"cannot be read: {error}"]) from None
    return read_table(path=str(path), text=text)
