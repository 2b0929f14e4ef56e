"""Supply points: where they are, which meter measures them, who occupies them, on what terms.

Written by use cases.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant


@fact_type("supply.registered/1")
class SupplyRegistered(Fact, frozen=True, kw_only=True):
    """A supply point exists, fed through a concentrator."""

    supply: str
    site: str
    concentrator: str
    building: str = ""
    room: str = ""


@fact_type("supply.meter-installed/1")
class MeterInstalled(Fact, frozen=True, kw_only=True):
    """A meter measures the supply point from `installed_at`; its register then stood at `opening_milliwh`.

    `max_power_w` is what the supply can physically carry. `modulus_milliwh` is where the register rolls over, 0
    where it never does; `resolution_milliwh` is one step of it. `measures` tells cumulative registers from intervals.
    """

    supply: str
    meter: str
    profile: str
    installed_at: Instant
    opening_milliwh: int
    max_power_w: int
    modulus_milliwh: int = 0
    resolution_milliwh: int = 0
    measures: Literal["register", "interval"] = "register"


@fact_type("supply.occupied/1")
class SupplyOccupied(Fact, frozen=True, kw_only=True):
    """From `occupied_from` an account pays for what the supply point uses."""

    supply: str
    account: str
    occupied_from: Instant
    opening_milliwh: int


@fact_type("supply.terms-assigned/1")
class TermsAssigned(Fact, frozen=True, kw_only=True):
    """From `effective_from` the supply point is priced by this tariff, at the prices of an account class if any."""

    supply: str
    tariff: str
    effective_from: Instant
    account_class: str = ""


@dataclass(frozen=True, slots=True)
class Supply:
    """A supply point as its events leave it; occupancies and terms ascend in time."""

    code: str
    site: str
    concentrator: str
    meter: MeterInstalled | None = None
    occupancies: tuple[SupplyOccupied, ...] = ()
    terms: tuple[TermsAssigned, ...] = ()

    def occupancy_at(self, instant: datetime) -> SupplyOccupied | None:
        """Return the occupancy in force at an instant."""
        return next((row for row in reversed(self.occupancies) if row.occupied_from <= instant), None)

    def terms_at(self, instant: datetime) -> TermsAssigned | None:
        """Return the terms in force at an instant."""
        return next((row for row in reversed(self.terms) if row.effective_from <= instant), None)


def evolve(supply: Supply | None, fact: Fact) -> Supply:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, SupplyRegistered):
        return Supply(code=fact.supply, site=fact.site, concentrator=fact.concentrator)
    if supply is None:
        raise AssertionError(f"a supply stream begins with its registration, not with {fact}")
    match fact:
        case MeterInstalled():
            return replace(supply, meter=fact)
        case SupplyOccupied():
            return replace(supply, occupancies=(*supply.occupancies, fact))
        case TermsAssigned():
            terms = sorted((*supply.terms, fact), key=lambda row: row.effective_from)
            return replace(supply, terms=tuple(terms))
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a supply stream")
