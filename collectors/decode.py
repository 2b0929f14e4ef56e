"""Words to values and back, by a profile: integers and fractions only, exact at every step."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from collectors.errors import DecodeError
from collectors.number_kinds import BCD, FLOATS, HIGH_FIRST, KINDS, SIGNED, Layout
from collectors.profile import EnergyRegister, Quantity, Relay

RelayState = Literal["open", "closed", "unknown"]
# Beyond this no ledger counts: such an energy is a broken reading, whatever a profile says.
_LARGEST_MILLIWH = 2**62
# Bits of a binary floating-point number's exponent and fraction (IEEE 754, binary32 and binary64).
_IEEE_754 = {"float32": (8, 23), "float64": (11, 52)}


def number(words: Sequence[int], *, kind: str, layout: Layout = HIGH_FIRST) -> int | Fraction:
    """Decode words as read to the number they hold, exactly; raises DecodeError for words that hold none."""
    bits = _bits(words, kind, layout)
    if kind in BCD:
        return _from_bcd(bits, kind)
    if kind in FLOATS:
        return _from_ieee_754(bits, kind)
    if kind in SIGNED and bits >> (16 * KINDS[kind] - 1):
        return bits - (1 << 16 * KINDS[kind])
    return bits


def value(
    words: Sequence[int], *, quantity: Quantity, layout: Layout = HIGH_FIRST, multiplier: Fraction | int = 1
) -> Fraction:
    """Decode a quantity in its own unit; raises DecodeError, also for the code by which a meter says it has none."""
    if quantity.not_available and hex_of(in_order(words, layout)) in quantity.not_available:
        raise DecodeError(
            f"{quantity.name} at {quantity.address:#06x} is not available: the meter shows {hex_of(words)}"
        )
    return number(words, kind=quantity.kind, layout=layout) * quantity.scale * multiplier


def milliwh(
    words: Sequence[int], *, register: EnergyRegister, layout: Layout = HIGH_FIRST, multiplier: Fraction | int = 1
) -> int:
    """Decode a cumulative register to integer thousandths of Wh, varh or VAh, floored.

    Raises DecodeError for a count at or beyond the register's modulus, or below zero: such a count does not exist.
    """
    counts = number(words, kind=register.kind, layout=layout)
    where = f"register {register.name} at {register.address:#06x} shows {hex_of(words)}"
    if hex_of(in_order(words, layout)) in register.not_available:
        raise DecodeError(f"{where}: not available")
    if counts < 0:
        raise DecodeError(f"{where}, which is below zero; a cumulative register only rises")
    if register.modulus_counts and counts >= register.modulus_counts:
        raise DecodeError(
            f"register {register.name} at {register.address:#06x} shows {counts} counts, which is not below its "
            f"modulus of {register.modulus_counts}; check the profile against the meter"
        )
    energy = counts * register.milliwh_per_count * multiplier
    whole = energy.numerator // energy.denominator
    if whole >= _LARGEST_MILLIWH:
        raise DecodeError(f"{where}, which is more energy than any meter counts; check the profile's kind and order")
    return whole


def digits(words: Sequence[int], *, quantity: Quantity, layout: Layout = HIGH_FIRST) -> str:
    """Decode a serial number to its digits, BCD with the zeros before them; raises DecodeError."""
    shown = number(words, kind=quantity.kind, layout=layout)
    return f"{shown:0{4 * BCD[quantity.kind]}d}" if quantity.kind in BCD else str(shown)


def relay_state(word: int, *, relay: Relay) -> RelayState:
    """Tell a relay's state from its state word; a word that the profile does not know tells nothing."""
    (turned,) = in_order((word,), Layout(low_byte_first=relay.low_byte_first))
    shown = turned & relay.state_mask
    if shown == relay.state_open_value:
        return "open"
    return "closed" if shown == relay.state_closed_value else "unknown"


def words_of(shown: int | Fraction, *, kind: str, layout: Layout = HIGH_FIRST) -> tuple[int, ...]:
    """Encode a number as words in the device's order: what is written to it, and what the simulator answers.

    A float kind takes the nearest number that it can hold, and above zero none that is larger: no register shows
    energy that was not used.
    """
    count = KINDS[kind]
    if kind in FLOATS:
        packed = struct.pack(">f" if kind == "float32" else ">d", float(shown))
        bits = int.from_bytes(packed, "big")
        bits -= 0 < shown < _from_ieee_754(bits, kind)
    elif kind in BCD:
        bits = int(f"{int(shown):0{4 * count}d}", 16)
    else:
        bits = int(shown)
    bits &= (1 << 16 * count) - 1
    high_first = tuple(bits >> 16 * (count - 1 - index) & 0xFFFF for index in range(count))
    return in_order(high_first, layout)


def in_order(words: Sequence[int], layout: Layout) -> tuple[int, ...]:
    """Turn words between the device's order and high first; it is the same turn both ways."""
    turned = tuple(reversed(words)) if layout.low_word_first else tuple(words)
    return tuple((word & 0xFF) << 8 | word >> 8 for word in turned) if layout.low_byte_first else turned


def hex_of(words: Sequence[int]) -> str:
    """Return words as read, in hex, four digits each: a reading's evidence."""
    return "".join(f"{word:04x}" for word in words)


def _bits(words: Sequence[int], kind: str, layout: Layout) -> int:
    if len(words) != KINDS[kind]:
        raise DecodeError(f"{kind} takes {KINDS[kind]} words, {len(words)} came: {hex_of(words) or 'nothing'}")
    bits = 0
    for word in in_order(words, layout):
        bits = bits << 16 | word
    return bits


def _from_bcd(bits: int, kind: str) -> int:
    shown = f"{bits:0{4 * BCD[kind]}x}"
    if not shown.isdecimal():
        raise DecodeError(f"{shown} is no BCD number: a nibble is above 9")
    return int(shown)


def _from_ieee_754(bits: int, kind: str) -> Fraction:
    """Take a binary floating-point number apart into the fraction that it is."""
    exponent_bits, fraction_bits = _IEEE_754[kind]
    fraction = bits & ((1 << fraction_bits) - 1)
    exponent = bits >> fraction_bits & ((1 << exponent_bits) - 1)
    bias = (1 << (exponent_bits - 1)) - 1
    if exponent == (1 << exponent_bits) - 1:
        raise DecodeError(f"{bits:x} is no number but {'NaN' if fraction else 'infinity'}: not available")
    if exponent:
        fraction |= 1 << fraction_bits
    power = max(exponent, 1) - bias - fraction_bits
    size = Fraction(fraction << power) if power >= 0 else Fraction(fraction, 1 << -power)
    return -size if bits >> (exponent_bits + fraction_bits) else size
