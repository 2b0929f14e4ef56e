"""From a meter's profile, which the edge knows, to the facts that the ledger keeps of its installation."""

from collectors.nem12 import PROFILE as NEM12
from collectors.profile import load_profile
from ledger.usecases.supplies import MeterFacts


def meter_facts(*, serial: str, profile: str, max_power_w: int) -> MeterFacts:
    """Return a meter's facts: its register's rollover and step as its profile says, none for interval files.

    Raises the collectors' BadFile for a profile that is not known, naming those that are.
    """
    if profile == NEM12:
        return MeterFacts(serial=serial, profile=profile, max_power_w=max_power_w, measures="interval")
    total = load_profile(profile).total
    return MeterFacts(
        serial=serial,
        profile=profile,
        max_power_w=max_power_w,
        modulus_milliwh=total.modulus_milliwh,
        resolution_milliwh=total.milliwh_per_count,
    )
