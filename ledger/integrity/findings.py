"""What verification finds: which events are not as they must be, what was expected, and what stands there."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

Check = Literal["events", "seals", "witness", "gate", "versions", "conservation", "projections", "fold"]

_RANKS = {check: rank for rank, check in enumerate(get_args(Check))}
# What is told in words; the rest is counted.
_TOLD = 20
_SPANS = 100_000


@dataclass(frozen=True, slots=True)
class Finding:
    """Something broken over positions `first` to `last`."""

    check: Check
    first: int
    last: int
    expected: str
    found: str

    @property
    def where(self) -> str:
        """The positions in words."""
        return f"position {self.first}" if self.first == self.last else f"positions {self.first} to {self.last}"


@dataclass(slots=True)
class Findings:
    """All that was found, in bounded memory: the first of them in words, all of them counted."""

    told: list[Finding] = field(default_factory=list)
    by_check: Counter[str] = field(default_factory=Counter)
    _spans: list[tuple[int, int]] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Take in a finding."""
        self.by_check[finding.check] += finding.last - finding.first + 1
        self.told.append(finding)
        if len(self.told) > 2 * _TOLD:
            self.told = self.in_order()[:_TOLD]
        self._spans.append((finding.first, finding.last))
        if len(self._spans) > _SPANS:
            self._spans = _merged(self._spans)

    def in_order(self) -> list[Finding]:
        """Return the first findings by position; at one position, an event itself before what follows from it."""
        return sorted(self.told, key=lambda finding: (finding.first, finding.last, _RANKS[finding.check]))

    @property
    def first(self) -> Finding | None:
        """The finding at the first broken position."""
        return self.in_order()[0] if self.told else None

    @property
    def affected(self) -> int:
        """How many positions are broken in one way or another, each counted once."""
        return sum(last - first + 1 for first, last in _merged(self._spans))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
