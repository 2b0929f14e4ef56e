"""From a meter's profile, which the edge knows, to the facts that the ledger keeps of its installation."""

from collectors.nem12 import PROFILE as NEM12
from collectors.profile_library import load_profile, profile_names
from console.errors import ConsoleError
from ledger.domain.supply import MeteredUnit
from ledger.usecases.supplies import MeterFacts


class UnknownProfile(ConsoleError):
    """A meter's profile is not one of those that come with Wattledger."""


def meter_facts(*, serial: str, profile: str, max_power_w: int, limit_w: int = 0) -> MeterFacts:
    """Return a meter's facts: its register's rollover and step as its profile says, none for interval files.

    `max_power_w` is what the meter itself may count, `limit_w` what passes the supply whatever its transformers (0:
    not known). Which units it measures beside kWh is known of a profile, not of interval files.

    Raises UnknownProfile for a profile that is not known, naming those that are.
    """
    if profile == NEM12:
        return MeterFacts(
            serial=serial, profile=profile, max_power_w=max_power_w, measures="interval", limit_w=limit_w
        )
    if profile not in profile_names():
        raise UnknownProfile(
            f"profile {profile!r} is not known; use one of {', '.join(profile_names())} for a meter on a"
            f" concentrator, or {NEM12} for one that interval files are imported for"
        )
    known = load_profile(profile)
    total = known.total
    beside: tuple[tuple[MeteredUnit, object | None], ...] = (
        ("kvarh", known.reactive),
        ("kVAh", known.apparent),
        ("kW", known.demand),
    )
    return MeterFacts(
        serial=serial,
        profile=profile,
        max_power_w=max_power_w,
        limit_w=limit_w,
        modulus_milliwh=total.modulus_milliwh,
        resolution_milliwh=total.resolution_milliwh,
        gives=tuple(unit for unit, register in beside if register is not None),
    )


def periods_of(profile: str) -> tuple[str, ...]:
    """Return the names of a profile's time-of-use registers; none for interval files and for what is not known."""
    if profile not in profile_names():
        return ()
    return tuple(register.name for register in load_profile(profile).periods)
