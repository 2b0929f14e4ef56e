"""The digits of a token, by OpenPAYGO Token (package `openpaygo`); what they say is in the ledger, they are not.

What the library lets pass and a meter would take for something else is refused here.
"""

from dataclasses import dataclass, field
from typing import Literal

from openpaygo import OpenPAYGOTokenEncoder, TokenType

from ledger.domain.token_billing import MOST_UNITS, TokenSize
from ledger.domain.vending import TokenKind
from ledger.values.errors import InvalidValue

_TYPES = {
    "add": TokenType.ADD_TIME,
    "set": TokenType.SET_TIME,
    "disable": TokenType.DISABLE_PAYG,
    "counter-sync": TokenType.COUNTER_SYNC,
}


@dataclass(frozen=True, slots=True)
class Secrets:
    """A meter's secrets, as its maker gave them: the starting code, up to nine digits, and the key, 32 hex digits."""

    starting_code: int = field(repr=False)
    key_hex: str = field(repr=False)


def token_digits(
    secrets: Secrets, *, size: TokenSize, kind: Literal["add"] | TokenKind, units: int, count: int
) -> str:
    """Return the digits of the token with this count; raises InvalidValue for what no token can say."""
    least = 1 if kind == "add" else 0
    if not least <= units <= MOST_UNITS[size] or (units and kind in ("disable", "counter-sync")):
        raise InvalidValue(
            f"a {kind!r} token of {units} units is none; {size} ones say {least} to {MOST_UNITS[size]}"
        )
    if size == "extended" and kind in ("disable", "counter-sync"):
        raise InvalidValue(f"extended digits have no {kind!r} token: a meter would take it for one that sets")
    if count < 1 or (count % 2 == 0) != (kind == "add"):
        raise InvalidValue(f"count {count} is none of a {kind!r} token; even counts add, odd ones do all else")
    # The library counts on by itself, from the count before.
    made, digits = OpenPAYGOTokenEncoder.generate_token(
        secret_key=secrets.key_hex,
        count=count - 1,
        value=units if kind in ("add", "set") else None,
        token_type=_TYPES[kind],
        starting_code=secrets.starting_code,
        extended_token=size == "extended",
    )
    if made != count:
        raise AssertionError(f"the library counted {made} for the token with count {count}")
    return str(digits)


def grouped(digits: str) -> str:
    """Write digits in threes, as people read them out and type them."""
    return " ".join(digits[at : at + 3] for at in range(0, len(digits), 3))
