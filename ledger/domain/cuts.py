"""Cuts that wait for an operator: too many of a site's supplies fell due at once. One stream per site.

A mistyped tariff must not black out a building. Held by `control`, inside the gate; released or dismissed by people.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant

# A release is for the cuts that were looked at; what is due again days later is looked at again.
RELEASE_LASTS = timedelta(hours=4)


@fact_type("cuts.held/1")
class CutsHeld(Fact, frozen=True, kw_only=True):
    """These supplies are due to be cut and are not: with `recent` cut within the window, more than `limit` of `of`.

    The first of a batch gives it its number; later ones with the same number join it.
    """

    site: str
    batch: int
    supplies: tuple[str, ...]
    recent: int
    limit: int
    of: int
    ledger_position: int


@fact_type("cuts.released/1")
class CutsReleased(Fact, frozen=True, kw_only=True):
    """An operator looked at the batch: its supplies may be cut, where they are still due, until `until`."""

    site: str
    batch: int
    reason: str
    operator: str
    until: Instant


@fact_type("cuts.dismissed/1")
class CutsDismissed(Fact, frozen=True, kw_only=True):
    """An operator looked at the batch and cuts nobody: its supplies are spared until `until`."""

    site: str
    batch: int
    reason: str
    operator: str
    until: Instant


CUTS_FACTS = (CutsHeld, CutsReleased, CutsDismissed)


@dataclass(frozen=True, slots=True)
class Cuts:
    """A site's held cuts: `held` wait now; `released` and `spared` until an instant each."""

    site: str
    batch: int = 0
    held: frozenset[str] = frozenset()
    since: datetime | None = None
    released: Mapping[str, datetime] = field(default_factory=dict)
    spared: Mapping[str, datetime] = field(default_factory=dict)
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Whether a batch waits."""
        return bool(self.held)

    def is_released(self, supply: str, now: datetime) -> bool:
        """Tell whether an operator let this supply be cut."""
        return supply in self.released and now < self.released[supply]

    def is_spared(self, supply: str, now: datetime) -> bool:
        """Tell whether an operator has this supply spared."""
        return supply in self.spared and now < self.spared[supply]


def evolve(cuts: Cuts, fact: Fact) -> Cuts:
    """Apply a fact of the stream; validation was done before it was recorded."""
    cuts = replace(cuts, version=cuts.version + 1)
    match fact:
        case CutsHeld():
            since = fact.recorded_at if cuts.since is None else cuts.since
            return replace(cuts, batch=fact.batch, held=cuts.held | set(fact.supplies), since=since)
        case CutsReleased():
            released = dict(cuts.released) | dict.fromkeys(cuts.held, fact.until)
            return replace(cuts, held=frozenset(), since=None, released=_running(released, fact.recorded_at))
        case CutsDismissed():
            spared = dict(cuts.spared) | dict.fromkeys(cuts.held, fact.until)
            return replace(cuts, held=frozenset(), since=None, spared=_running(spared, fact.recorded_at))
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a stream of held cuts")


def _running(until: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    return {supply: end for supply, end in until.items() if end > now}
