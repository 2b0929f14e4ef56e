"""Settings from environment variables: every error reported at once, secrets never shown."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from ledger.values.errors import InvalidValue

N = TypeVar("N", int, float)


class Environment:
    """Reads `WATTLEDGER_*` variables out of a mapping and remembers everything that is wrong with them.

    Ask for each setting once, then call `check()`, which raises InvalidValue naming every missing or wrong
    variable together, so that an operator mends them in one go.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self._errors: list[str] = []

    def text(self, name: str, *, default: str | None = None, help_: str = "") -> str:
        """Return a text setting; without a default it must be there and not empty."""
        value = self._variables.get(name) or default
        if value is None:
            self._errors.append(f"{name} is not set{f' ({help_})' if help_ else ''}")
            return ""
        return value

    def integer(self, name: str, *, default: int, minimum: int = 0, maximum: int = 2**62) -> int:
        """Return an integer setting within its bounds, both included."""
        return self._parsed(name, default, int, lambda v: minimum <= v <= maximum, f"{minimum} to {maximum}")

    def seconds(self, name: str, *, default: float, minimum: float = 0.0, maximum: float = 1e9) -> float:
        """Return a duration setting in seconds within its bounds, both included."""
        return self._parsed(
            name, default, float, lambda v: minimum <= v <= maximum, f"{minimum:g} to {maximum:g} seconds"
        )

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a yes/no setting: 1, true, yes, on or 0, false, no, off."""
        words = {"1": True, "true": True, "yes": True, "on": True}
        words |= {"0": False, "false": False, "no": False, "off": False}
        text = self._variables.get(name, "").strip().lower()
        if text == "":
            return default
        if text not in words:
            self._errors.append(f"{name}={text!r} is neither true nor false; use true or false")
            return default
        return words[text]

    def check(self) -> None:
        """Raise InvalidValue naming every error found so far, if there are any."""
        if self._errors:
            raise InvalidValue("settings are wrong:\n" + "\n".join(f"  - {error}" for error in self._errors))

    def _parsed(
        self, name: str, default: N, parse: Callable[[str], N], accepts: Callable[[N], bool], bounds: str
    ) -> N:
        text = self._variables.get(name, "").strip()
        if text == "":
            return default
        try:
            value = parse(text)
        except ValueError:
            self._errors.append(f"{name}={text!r} is not a number; use {bounds}")
            return default
        if not accepts(value):
            self._errors.append(f"{name}={text} is out of range; use {bounds}")
            return default
        return value
