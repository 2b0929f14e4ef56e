"""How many accounts pay how much more or less: bins of a round width, drawn as bars of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

MOST_BINS = 12
BAR_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Bin:
    """The values of the half-open span [low, high)."""

    low: Decimal
    high: Decimal
    count: int


def binned(values: Sequence[Decimal]) -> list[Bin]:
    """Count values in at most MOST_BINS bins of equal width 1, 2 or 5 times a power of ten, none left out between."""
    if not values:
        return []
    width = _width(min(values), max(values))
    numbers = [_number(value, width) for value in values]
    return [
        Bin(width * number, width * (number + 1), numbers.count(number))
        for number in range(min(numbers), max(numbers) + 1)
    ]


def bar(count: int, *, largest: int) -> str:
    """Draw a count; the largest fills the width, and what is there at all can be seen."""
    return "█" * max(round(BAR_WIDTH * count / largest), 1) if count else ""


def _width(lowest: Decimal, highest: Decimal) -> Decimal:
    exponent = -1
    while True:
        for digit in (1, 2, 5):
            width = Decimal(digit).scaleb(exponent)
            if _number(highest, width) - _number(lowest, width) < MOST_BINS:
                return width
        exponent += 1


def _number(value: Decimal, width: Decimal) -> int:
    return int((value / width).to_integral_value(rounding=ROUND_FLOOR))
