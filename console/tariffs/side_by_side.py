"""Two tariff files side by side: the settings and the components that were added, removed or changed."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Change = Literal["same", "changed", "added", "removed"]
# Tables of a list are told apart by the name that they carry, not by their place in the file.
_NAMES = ("component", "name")


@dataclass(frozen=True, slots=True)
class Compared:
    """One key of a part of the tariff (a component, or a setting) as it is on either side; empty where it is not."""

    part: str
    key: str
    left: str
    right: str

    @property
    def change(self) -> Change:
        """What happened on the way from left to right."""
        if self.left == self.right:
            return "same"
        return "changed" if self.left and self.right else "removed" if self.left else "added"


def compared(left_text: str, right_text: str) -> list[Compared]:
    """Compare two tariff files, part by part in the order of the left one; both are valid TOML."""
    left, right = _parts(tomllib.loads(left_text)), _parts(tomllib.loads(right_text))
    rows: list[Compared] = []
    for part in dict.fromkeys((*left, *right)):
        ours, theirs = left.get(part, {}), right.get(part, {})
        rows += [
            Compared(part, key, ours.get(key, ""), theirs.get(key, "")) for key in dict.fromkeys((*ours, *theirs))
        ]
    return rows


def _parts(document: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return each part's keys and values as texts, nested tables under dotted keys."""
    parts: dict[str, dict[str, str]] = {}
    for key, value in document.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            for number, row in enumerate(value, 1):
                parts.setdefault(f"{key} {_name_of(row, number)}", {}).update(_flat(row))
        elif isinstance(value, dict):
            parts.setdefault(key, {}).update(_flat(value))
        else:
            parts.setdefault("tariff", {})[key] = _text(value)
    return parts


def _name_of(row: Mapping[str, Any], number: int) -> str:
    return next((str(row[name]) for name in _NAMES if name in row), str(number))


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    return dict(_pairs(value, prefix))


def _pairs(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _pairs(inner, f"{prefix}{key}.")
        elif isinstance(inner, list) and inner and all(isinstance(row, dict) for row in inner):
            for number, row in enumerate(inner, 1):
                yield f"{prefix}{key}[{_name_of(row, number)}]", _text(row)
        else:
            yield f"{prefix}{key}", _text(inner)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_text(inner) for inner in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
