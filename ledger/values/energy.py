"""Energy: an integer number of milliwatt-hours, exact at every step."""

from decimal import Context, Decimal

from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue

MILLIWH_PER_WH = 1_000
MILLIWH_PER_KWH = 1_000_000

# More digits than any register or sum has: the default context rounds at 28, silently.
_EXACT = Context(prec=100)
_LARGEST_KWH = Decimal(10) ** 30


def milliwh_from_kwh(kwh: Decimal) -> int:
    """Convert kilowatt-hours to integer milliwatt-hours.

    Raises InvalidValue for a value that is not finite or is finer than one milliwatt-hour (10⁻⁶ kWh):
    rounding energy silently would break conservation.
    """
    if not kwh.is_finite():
        raise InvalidValue(f"energy {kwh} kWh is not a finite number; give a decimal such as 12.345")
    if abs(kwh) > _LARGEST_KWH:
        raise InvalidValue(f"energy {kwh} kWh is beyond what any meter counts; check its unit")
    milliwh = _EXACT.scaleb(kwh, 6)
    if milliwh != milliwh.to_integral_value() or _EXACT.scaleb(milliwh, -6) != kwh:
        raise InvalidValue(f"energy {kwh} kWh is finer than 0.000001 kWh; round it at its source")
    return int(milliwh)


def milliwh_from_text(text: str) -> int:
    """Convert a decimal text in kilowatt-hours, such as `12.34`, to milliwatt-hours; raises InvalidValue."""
    return milliwh_from_kwh(decimal_from_text(text, what="energy"))


def kwh_from_milliwh(milliwh: int) -> Decimal:
    """Convert milliwatt-hours to kilowatt-hours, exactly."""
    return Decimal(milliwh).scaleb(-6, _EXACT)


def text_from_milliwh(milliwh: int) -> str:
    """Tell an energy as people read it off a meter, in kilowatt-hours: `839`, `12.34`."""
    return f"{kwh_from_milliwh(milliwh).normalize():f}"
