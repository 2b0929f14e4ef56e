"""Words to values and back, by a profile: integers only, exact at every step."""

from collections.abc import Sequence
from typing import Literal

from collectors.errors import DecodeError
from collectors.profile import KINDS, EnergyRegister, Relay

RelayState = Literal["open", "closed"]


def number(words: Sequence[int], *, kind: str) -> int:
    """Decode words, high word first, to an integer; raises DecodeError for words that do not fit the kind."""
    if len(words) != KINDS[kind]:
        raise DecodeError(f"{kind} takes {KINDS[kind]} words, {len(words)} came: {hex_of(words) or 'nothing'}")
    value = 0
    for word in words:
        value = value << 16 | word
    if kind == "bcd48":
        return int(_bcd_digits(value))
    if kind == "s16" and value >= 0x8000:
        return value - 0x1_0000
    return value


def milliwh(words: Sequence[int], *, register: EnergyRegister) -> int:
    """Decode a cumulative energy register to integer milliwatt-hours.

    Raises DecodeError for a count at or beyond the register's modulus: such a count does not exist.
    """
    counts = number(words, kind=register.kind)
    if counts >= register.modulus_counts:
        raise DecodeError(
            f"register {register.name} at {register.address:#06x} shows {counts} counts, which is not below its "
            f"modulus of {register.modulus_counts}; check the profile against the meter"
        )
    return counts * register.milliwh_per_count


def meter_number(words: Sequence[int]) -> str:
    """Decode a meter number of three BCD words to its twelve digits; raises DecodeError for other nibbles."""
    return f"{number(words, kind='bcd48'):012d}"


def relay_state(word: int, *, relay: Relay) -> RelayState:
    """Tell a relay's state from its state word."""
    return "open" if word & relay.state_mask == relay.state_open_value else "closed"


def words_of(value: int, *, kind: str) -> tuple[int, ...]:
    """Encode an integer as words, high word first: what a device does (the simulator, and tests of decoding)."""
    if kind == "bcd48":
        value = int(f"{value:012d}", 16)
    count = KINDS[kind]
    value &= (1 << 16 * count) - 1
    return tuple(value >> 16 * (count - 1 - index) & 0xFFFF for index in range(count))


def hex_of(words: Sequence[int]) -> str:
    """Return words as read, in hex, four digits each: a reading's evidence."""
    return "".join(f"{word:04x}" for word in words)


def _bcd_digits(value: int) -> str:
    digits = f"{value:012x}"
    if not digits.isdecimal():
        raise DecodeError(f"{digits} is no BCD number: a nibble is above 9")
    return digits
