"""Decimal numbers as people write them: ASCII digits, perhaps a sign and a fraction, and nothing else."""

import re
from decimal import Decimal

from ledger.values.errors import InvalidValue

_WRITTEN = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def decimal_from_text(text: str, *, what: str) -> Decimal:
    """Return the number that a text such as `-12.50` writes; raises InvalidValue.

    Python would also read `1_000`, `١٢`, ` 5 ` and `1e3`: amounts of money are not for guessing what was meant.
    """
    if not _WRITTEN.fullmatch(text):
        raise InvalidValue(f"{what} {text!r} is not a number; write it in digits with a decimal point, such as 12.34")
    return Decimal(text)
