"""Which registers are read together: contiguous ones, up to what the device answers at once. Planned once."""

from collections.abc import Iterable
from dataclasses import dataclass

from collectors.profile import Quantity

Words = dict[Quantity, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Block:
    """Quantities that one request reads."""

    quantities: tuple[Quantity, ...]

    @property
    def function(self) -> int:
        """The function that reads them."""
        return self.quantities[0].function

    @property
    def address(self) -> int:
        """Where the block begins."""
        return self.quantities[0].address

    @property
    def count(self) -> int:
        """How many words it has."""
        return max(quantity.address + quantity.word_count for quantity in self.quantities) - self.address

    def shared(self, words: tuple[int, ...]) -> Words:
        """Give each quantity its words."""
        return {q: words[q.address - self.address : q.address - self.address + q.word_count] for q in self.quantities}

    def halves(self) -> tuple["Block", "Block"]:
        """Split a block of two quantities or more."""
        middle = len(self.quantities) // 2
        return Block(self.quantities[:middle]), Block(self.quantities[middle:])


def plan_of(quantities: Iterable[Quantity], *, words_per_read: int) -> tuple[Block, ...]:
    """Group quantities into contiguous blocks of at most `words_per_read` words."""
    blocks: list[Block] = []
    for quantity in sorted(quantities, key=lambda q: (q.function, q.address)):
        wider = Block((*blocks[-1].quantities, quantity)) if blocks else None
        if (
            wider
            and wider.function == quantity.function
            and quantity.address <= blocks[-1].address + blocks[-1].count
            and wider.count <= words_per_read
        ):
            blocks[-1] = wider
        else:
            blocks.append(Block((quantity,)))
    return tuple(blocks)
