"""Codes that operators choose for sites, supply points, accounts and tariffs: opaque, and never personal data."""

import re

from ledger.values.errors import InvalidValue

_CURRENCY = re.compile(r"[A-Z]{3}")
_HASH = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")


def checked_code(code: str, *, what: str) -> str:
    """Return the code; raises InvalidValue where it is not 1 to 64 of letters, digits and `._:/-`."""
    if not _CODE.fullmatch(code):
        raise InvalidValue(
            f"{what} {code!r} is not a code; use 1 to 64 letters, digits or . _ : / - (begin with a letter or digit)"
        )
    return code


def checked_currency(currency: str) -> str:
    """Return the currency; raises InvalidValue where it is no ISO 4217 code."""
    if not _CURRENCY.fullmatch(currency):
        raise InvalidValue(f"currency {currency!r} is no ISO 4217 code; use three capitals, such as 'CNY'")
    return currency


def checked_reference_hash(hashed: str) -> str:
    """Return the keyed hash of an outside reference, or nothing; raises InvalidValue for anything else."""
    if hashed and not _HASH.fullmatch(hashed):
        # What is refused is not shown: it may be the reference itself.
        raise InvalidValue("reference_hash is not 64 hexadecimal digits; give the keyed hash, never the reference")
    return hashed
