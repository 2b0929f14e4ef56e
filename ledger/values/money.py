"""Money: an integer number of micro-units (10⁻⁶) of the ledger's currency; `Decimal` only at the edges."""

from decimal import ROUND_HALF_UP, Context, Decimal

from ledger.values.decimals import decimal_from_text
from ledger.values.errors import InvalidValue

MICROS_PER_UNIT = 1_000_000

# More digits than any sum of money has: the default context rounds at 28, silently.
_EXACT = Context(prec=100)
_LARGEST = Decimal(10) ** 30


def micros_from_decimal(amount: Decimal) -> int:
    """Convert an amount in currency units to micro-units.

    Raises InvalidValue for an amount that is not finite or is finer than one micro-unit.
    """
    if not amount.is_finite():
        raise InvalidValue(f"amount {amount} is not a finite number; give a decimal such as 50.00")
    if abs(amount) > _LARGEST:
        raise InvalidValue(f"amount {amount} is beyond any sum of money; check its unit")
    micros = _EXACT.scaleb(amount, 6)
    if micros != micros.to_integral_value() or _EXACT.scaleb(micros, -6) != amount:
        raise InvalidValue(f"amount {amount} is finer than 0.000001; round it at its source")
    return int(micros)


def micros_from_text(text: str) -> int:
    """Convert a decimal text in currency units, such as `50.00`, to micro-units; raises InvalidValue."""
    return micros_from_decimal(decimal_from_text(text, what="amount"))


def decimal_from_micros(micros: int) -> Decimal:
    """Convert micro-units to currency units, exactly."""
    return Decimal(micros).scaleb(-6, _EXACT)


def text_from_micros(micros: int) -> str:
    """Write micro-units as currency units, exactly: at least two places, and no more than are needed."""
    whole, _, places = f"{decimal_from_micros(micros):f}".partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def rounded_to_minor_unit(amount: Decimal, *, minor_digits: int = 2) -> Decimal:
    """Round an amount in currency units half away from zero to the currency's minor unit."""
    return amount.quantize(Decimal(1).scaleb(-minor_digits), rounding=ROUND_HALF_UP, context=_EXACT)


def divided_half_away(numerator: int, denominator: int) -> int:
    """Divide two integers, rounding half away from zero (design I4); `denominator` is positive."""
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


# ISO 4217 currencies whose minor unit is not a hundredth.
_MINOR_DIGITS = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "RWF", "UGX", "VND", "XAF", "XOF", "XPF"), 0)
_MINOR_DIGITS |= dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)


def minor_unit_micros(currency: str) -> int:
    """Return how many micro-units the smallest coin of a currency is: 10 000 for one with hundredths."""
    return MICROS_PER_UNIT // int(10 ** _MINOR_DIGITS.get(currency, 2))
