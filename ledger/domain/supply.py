"""Supply points: where they are, which meter measures them, who occupies them, on what terms.

Written by use cases.
"""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from ledger.domain import spell as spell_of
from ledger.domain.event import Fact, fact_type
from ledger.domain.protection import ProtectionLifted, ProtectionReviewLapsed, SupplyProtected
from ledger.domain.spell import Spell
from ledger.domain.supply_life import (
    ConcentratorChanged,
    HoldResolved,
    LandlordAssigned,
    MeterRemoved,
    MultiplierChanged,
    SupplyCommissioned,
    SupplyVacated,
)
from ledger.domain.token_billing import BilledByToken
from ledger.wire import Instant

# What a meter may measure beside energy in kWh: reactive energy, apparent energy, demand.
MeteredUnit = Literal["kvarh", "kVAh", "kW"]


class Registers(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The registers beside a meter's total, each as it stood; what is not known is left out.

    `periods` are milliwatt-hours by time-of-use register. `difference_milliwh` is by how much the total has moved
    more than these since both are known: never by more than one step of each register.
    """

    periods: dict[str, int] = {}
    reactive_millivarh: int | None = None
    apparent_millivah: int | None = None
    difference_milliwh: int = 0


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
    All of these are the meter's own; behind transformers they count `multiplier` times (`40`, `200/3`). `limit_w` is
    the supply's own limit in watts, its main switch's for one, whatever the transformers; 0 where it is not known.
    `gives` are the units that it measures beside kWh (kW: demand), None where that is not known.
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
    multiplier: str = "1"
    opening_registers: Registers | None = None
    gives: tuple[MeteredUnit, ...] | None = None
    limit_w: int = 0


@fact_type("supply.occupied/1")
class SupplyOccupied(Fact, frozen=True, kw_only=True):
    """From `occupied_from` an account pays for what the supply point uses.

    `opening_milliwh` is the meter's own register then; None where it was not read, which only a later occupancy may
    have: usage is apportioned there. `opening_registers` are those beside it, as far as they were read. `is_vacant`
    marks the landlord's between two occupants.
    """

    supply: str
    account: str
    occupied_from: Instant
    opening_milliwh: int | None = None
    is_vacant: bool = False
    opening_registers: Registers | None = None


@fact_type("supply.terms-assigned/1")
class TermsAssigned(Fact, frozen=True, kw_only=True):
    """From `effective_from` the supply point is priced by this tariff, at the prices of an account class if any.

    `contracted_w` is its contracted power, which fixed charges per kilowatt are for.
    """

    supply: str
    tariff: str
    effective_from: Instant
    account_class: str = ""
    contracted_w: int = 0


class Supply(msgspec.Struct, frozen=True):
    """A supply point as its events leave it; occupancies, terms and spells of meters ascend in time.

    `meter` is the one that is installed now, None after its removal. `version` is the newest event's; `life` are the
    facts with their versions that the meter stream has to take in, `life_version` is the newest one's.
    `occupancy_versions` tell by which event each occupancy began. `commissioning` is the newest
    result of the meter that is installed now. `protection` keeps it from being
    cut for credit; `is_review_lapsed` where that is due to be looked at. `tokens` bill it, where it is not None.
    """

    code: str
    site: str
    concentrator: str
    meter: MeterInstalled | None = None
    occupancies: tuple[SupplyOccupied, ...] = ()
    terms: tuple[TermsAssigned, ...] = ()
    spells: tuple[Spell, ...] = ()
    landlords: tuple[LandlordAssigned, ...] = ()
    version: int = 1
    life: tuple[tuple[int, Fact], ...] = ()
    life_version: int = 0
    occupancy_versions: tuple[int, ...] = ()
    commissioning: SupplyCommissioned | None = None
    protection: SupplyProtected | None = None
    is_review_lapsed: bool = False
    tokens: BilledByToken | None = None

    @property
    def is_commissioned(self) -> bool:
        """Tell whether the meter that is installed now came through its commissioning here."""
        return self.commissioning is not None and self.commissioning.passed

    def occupancy_at(self, instant: datetime) -> SupplyOccupied | None:
        """Return the occupancy in force at an instant."""
        return next((row for row in reversed(self.occupancies) if row.occupied_from <= instant), None)

    def occupancy_number_at(self, instant: datetime) -> int:
        """Return the number of the occupancy in force at an instant, from 0; −1 where there is none."""
        number = len(self.occupancies) - 1
        while number >= 0 and self.occupancies[number].occupied_from > instant:
            number -= 1
        return number

    def terms_at(self, instant: datetime) -> TermsAssigned | None:
        """Return the terms in force at an instant."""
        return next((row for row in reversed(self.terms) if row.effective_from <= instant), None)

    def landlord_at(self, instant: datetime) -> str:
        """Return the account that pays while nobody occupies, by the supply point's own setting; empty for none."""
        begun = [row for row in self.landlords if row.effective_from <= instant]
        return max(reversed(begun), key=lambda row: row.effective_from).account if begun else ""

    def spell_of(self, serial: str, instant: datetime) -> Spell | None:
        """Return the spell of a meter that covers an instant; at a boundary, the one that ends there."""
        return next((row for row in self.spells if row.meter.meter == serial and row.holds(instant)), None)

    def spell_at(self, instant: datetime) -> Spell | None:
        """Return the newest spell that had begun at an instant, be it over."""
        return next((row for row in reversed(self.spells) if row.starts <= instant), None)

    def as_of(self, version: int) -> "Supply":
        """Return the supply point with the occupancies that it had at a version of its stream."""
        known = sum(one <= version for one in self.occupancy_versions)
        if known == len(self.occupancies):
            return self
        return replace(self, occupancies=self.occupancies[:known], occupancy_versions=self.occupancy_versions[:known])


def evolve(supply: Supply | None, fact: Fact) -> Supply:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, SupplyRegistered):
        return Supply(code=fact.supply, site=fact.site, concentrator=fact.concentrator)
    if supply is None:
        raise AssertionError(f"a supply stream begins with its registration, not with {fact}")
    is_life = _is_life(supply, fact)
    changed = _changed(replace(supply, version=supply.version + 1), fact)
    if not is_life:
        return changed
    return replace(changed, life=(*changed.life, (changed.version, fact)), life_version=changed.version)


def _is_life(supply: Supply, fact: Fact) -> bool:
    """Tell whether the meter stream has to take a fact in; it begins with the first meter and the first occupant."""
    if isinstance(fact, MeterInstalled):
        return bool(supply.spells)
    if isinstance(fact, SupplyOccupied):
        return bool(supply.occupancies)
    return isinstance(fact, MeterRemoved | MultiplierChanged | SupplyVacated | HoldResolved)


def _changed(supply: Supply, fact: Fact) -> Supply:  # noqa: C901, PLR0911 - a case per fact
    match fact:
        case MeterInstalled() | MeterRemoved() | MultiplierChanged():
            return _metered(supply, fact)
        case SupplyOccupied():
            return _occupied(supply, fact)
        case SupplyVacated():
            return _occupied(supply, _vacancy(fact))
        case TermsAssigned():
            terms = sorted((*supply.terms, fact), key=lambda row: row.effective_from)
            return replace(supply, terms=tuple(terms))
        case SupplyProtected() | ProtectionReviewLapsed() | ProtectionLifted():
            return _protected(supply, fact)
        case LandlordAssigned():
            return replace(supply, landlords=(*supply.landlords, fact))
        case ConcentratorChanged():
            return replace(supply, concentrator=fact.concentrator)
        case SupplyCommissioned():
            return replace(supply, commissioning=fact)
        case HoldResolved():
            return supply
        case BilledByToken():
            return replace(supply, tokens=fact)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a supply stream")


def _vacancy(fact: SupplyVacated) -> SupplyOccupied:
    """Return the landlord's occupancy, which begins where an occupant's ends."""
    return SupplyOccupied(
        supply=fact.supply,
        account=fact.landlord,
        occupied_from=fact.vacated_at,
        opening_milliwh=fact.closing_milliwh,
        is_vacant=True,
        recorded_at=fact.recorded_at,
    )


def _occupied(supply: Supply, occupancy: SupplyOccupied) -> Supply:
    return replace(
        supply,
        occupancies=(*supply.occupancies, occupancy),
        occupancy_versions=(*supply.occupancy_versions, supply.version),
    )


def _protected(supply: Supply, fact: SupplyProtected | ProtectionReviewLapsed | ProtectionLifted) -> Supply:
    if isinstance(fact, ProtectionReviewLapsed):
        return replace(supply, is_review_lapsed=True)
    return replace(supply, protection=fact if isinstance(fact, SupplyProtected) else None, is_review_lapsed=False)


def _metered(supply: Supply, fact: MeterInstalled | MeterRemoved | MultiplierChanged) -> Supply:
    """Begin a spell, end one, or both."""
    if isinstance(fact, MeterInstalled):
        spell = spell_of.begun(fact, starts=fact.installed_at, own_milliwh=fact.opening_milliwh)
        return replace(supply, meter=fact, spells=(*supply.spells, spell), commissioning=None)
    if supply.meter is None:
        raise AssertionError(f"supply {supply.code} has no meter that {fact} could be about")
    before = supply.spells[-1]
    if isinstance(fact, MeterRemoved):
        closing = None if fact.closing_milliwh is None else before.scaled(fact.closing_milliwh)
        ended = replace(before, ends=fact.removed_at, closing_milliwh=closing)
        return replace(supply, meter=None, spells=(*supply.spells[:-1], ended), commissioning=None)
    ended = replace(before, ends=fact.effective_from, closing_milliwh=before.scaled(fact.register_milliwh))
    meter = msgspec.structs.replace(supply.meter, multiplier=fact.multiplier)
    spell = spell_of.begun(meter, starts=fact.effective_from, own_milliwh=fact.register_milliwh)
    return replace(supply, meter=meter, spells=(*supply.spells[:-1], ended, spell))
