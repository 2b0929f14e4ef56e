"""Energy: an integer number of milliwatt-hours, exact at every step."""

from decimal import Decimal

from ledger.values.errors import InvalidValue

MILLIWH_PER_WH = 1_000
MILLIWH_PER_KWH = 1_000_000


def milliwh_from_kwh(kwh: Decimal) -> int:
    """Convert kilowatt-hours to integer milliwatt-hours.

    Raises InvalidValue for a value that is not finite or is finer than one milliwatt-hour (10⁻⁶ kWh):
    rounding energy silently would break conservation.
    """
    if not kwh.is_finite():
        raise InvalidValue(f"energy {kwh} kWh is not a finite number; give a decimal such as 12.345")
    milliwh = kwh * MILLIWH_PER_KWH
    if milliwh != milliwh.to_integral_value():
        raise InvalidValue(f"energy {kwh} kWh is finer than 0.000001 kWh; round it at its source")
    return int(milliwh)


def kwh_from_milliwh(milliwh: int) -> Decimal:
    """Convert milliwatt-hours to kilowatt-hours, exactly."""
    return Decimal(milliwh).scaleb(-6)
