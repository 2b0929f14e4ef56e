"""Money and energy as texts: exact decimals that never lose a micro-unit, and the currency's own rounding."""

from decimal import Decimal

from ledger.values.energy import kwh_from_milliwh
from ledger.values.money import decimal_from_micros, rounded_to_minor_unit

# ISO 4217, list one (2024-06-25): the currencies in use whose minor unit is not a hundredth.
_MINOR_DIGITS = dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0)
_MINOR_DIGITS |= dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0)
_MINOR_DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
_MINOR_DIGITS |= dict.fromkeys(("CLF", "UYW"), 4)


def money_text(micros: int) -> str:
    """Write micro-units in currency units: every digit that counts, and at least two places, as in `448.00`."""
    return _trimmed(decimal_from_micros(micros), places=2)


def rounded_text(micros: int, *, currency: str) -> str:
    """Write micro-units rounded half away from zero to the currency's minor unit."""
    digits = _MINOR_DIGITS.get(currency, 2)
    return f"{rounded_to_minor_unit(decimal_from_micros(micros), minor_digits=digits):f}"


def kwh_text(milliwh: int) -> str:
    """Write milliwatt-hours in kilowatt-hours: every digit that counts, and at least whole watt-hours."""
    return _trimmed(kwh_from_milliwh(milliwh), places=3)


def _trimmed(number: Decimal, *, places: int) -> str:
    whole, _, fraction = f"{number:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0').ljust(places, '0')}"
