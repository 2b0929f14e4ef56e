"""From a meter's words to the reading that goes to the ledger."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from collectors.daily_check import Told
from collectors.decode import hex_of, milliwh, value
from collectors.errors import DecodeError
from collectors.profile import EnergyRegister, Profile, Quantity
from collectors.read_plan import Words
from collectors.site import Meter
from ledger.wire import Reading, RegisterReading

_WATTS = {"W": 1, "kW": 1_000}


def reading_of(meter: Meter, words: Words, *, read_at: datetime, told: Told) -> Reading:
    """Make a register reading of what one sweep read; raises DecodeError where that is no reading."""
    profile = meter.profile
    multipliers = multipliers_of(profile, words)

    def energy(register: EnergyRegister | None) -> int | None:
        if register is None or register not in words:
            return None
        return milliwh(
            words[register], register=register, layout=profile.layout, multiplier=factor(register, multipliers)
        )

    total = energy(profile.total)
    if total is None:
        raise DecodeError(f"{meter.serial}: its total was not read")
    periods = {register.name: energy(register) for register in profile.periods}
    read = {name: energy_milliwh for name, energy_milliwh in periods.items() if energy_milliwh is not None}
    register = RegisterReading(
        meter=meter.serial,
        read_at=read_at,
        import_milliwh=total,
        periods=read if meter.time_of_use else None,
        reactive_millivarh=energy(profile.reactive),
        apparent_millivah=energy(profile.apparent),
        demand_w=_demand_w(profile, words, multipliers),
        profile=profile.name,
        raw=hex_of([word for quantity in profile.swept for word in words.get(quantity, ())]),
        serial=told.serial,
        meter_credit=dict(told.credit) or None,
    )
    try:
        return Reading(register=register)
    except ValueError as error:
        raise DecodeError(f"{error}; set this machine's clock") from None


def multipliers_of(profile: Profile, words: Words) -> dict[str, Fraction]:
    """Return the meter's own multipliers as read; raises DecodeError for one that is missing or not above 0."""
    multipliers = {}
    for quantity in profile.multipliers:
        if quantity not in words:
            raise DecodeError(f"multiplier {quantity.name} at {quantity.address:#06x} was not read")
        multiplier = value(words[quantity], quantity=quantity, layout=profile.layout)
        if multiplier <= 0:
            raise DecodeError(f"multiplier {quantity.name} is {multiplier}: no ratio is; set it in the meter")
        multipliers[quantity.name] = multiplier
    return multipliers


def factor(quantity: Quantity, multipliers: Mapping[str, Fraction]) -> Fraction:
    """Return what a quantity's number is to be multiplied with."""
    product = Fraction(1)
    for name in quantity.multiplied_by:
        product *= multipliers[name]
    return product


def _demand_w(profile: Profile, words: Words, multipliers: Mapping[str, Fraction]) -> int | None:
    """Return the demand register in whole watts, floored."""
    demand = profile.demand
    if demand is None or demand not in words:
        return None
    shown = value(words[demand], quantity=demand, layout=profile.layout, multiplier=factor(demand, multipliers))
    watts = shown * _WATTS[demand.unit]
    if watts < 0:
        raise DecodeError(f"demand at {demand.address:#06x} shows {watts} W, which is below zero")
    return watts.numerator // watts.denominator
