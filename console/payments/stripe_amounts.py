"""Amounts as Stripe writes them: integers of a unit that is not always the currency's own minor unit.

By https://docs.stripe.com/currencies: ISK and UGX have no coins, and still are written in hundredths.
"""

from ledger.values.errors import InvalidValue
from ledger.values.money import MICROS_PER_UNIT, text_from_micros

_WHOLE = frozenset(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
)
_THOUSANDTHS = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])


def micros_from_stripe(amount: int, currency: str) -> int:
    """Return micro-units."""
    return amount * _unit_micros(currency)


def stripe_from_micros(micros: int, currency: str) -> int:
    """Return what Stripe is told; raises InvalidValue for an amount finer than it takes."""
    amount, rest = divmod(micros, _unit_micros(currency))
    # The card networks take no thousandths: the last digit is a zero.
    if rest or (currency in _THOUSANDTHS and amount % 10):
        raise InvalidValue(f"{text_from_micros(micros)} {currency} is finer than Stripe charges; round it")
    return amount


def _unit_micros(currency: str) -> int:
    if currency in _WHOLE:
        return MICROS_PER_UNIT
    return MICROS_PER_UNIT // (1000 if currency in _THOUSANDTHS else 100)
