"""How a number lies in a meter's 16-bit words: its kind, and the order of words and of bytes."""

from dataclasses import dataclass

# Words that each kind of number takes, by family.
UNSIGNED = {"u16": 1, "u32": 2, "u48": 3, "u64": 4}
SIGNED = {"s16": 1, "s32": 2, "s48": 3, "s64": 4}
FLOATS = {"float32": 2, "float64": 4}
BCD = {"bcd16": 1, "bcd32": 2, "bcd48": 3, "bcd64": 4}
KINDS = UNSIGNED | SIGNED | FLOATS | BCD


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The order in which a device sends a number's words, and the bytes of each word."""

    low_word_first: bool = False
    low_byte_first: bool = False


# As the Modbus specification has it: the high word first, the high byte first.
HIGH_FIRST = Layout()


def counts_of(kind: str) -> int:
    """Return how many counts a kind can show from 0 upwards: where a register of that width rolls over."""
    if kind in BCD:
        return int(10 ** (4 * BCD[kind]))
    if kind in SIGNED:
        return 1 << (16 * SIGNED[kind] - 1)
    return 1 << 16 * KINDS[kind]
