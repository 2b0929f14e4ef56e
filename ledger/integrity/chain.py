"""Verifying the chain of seals: each follows the one before, a known key signed it, and the witness saw the same."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain as one_after_the_other

from ledger.integrity.findings import Check, Finding
from ledger.integrity.keys import PublicKeys
from ledger.integrity.seals import NO_SEAL, Seal
from ledger.integrity.witness.records import Witness, seals_in_force


@dataclass(slots=True)
class Chain:
    """Seals in order, held against each other and against the witness's, side by side, one of each at a time.

    `before` is the seal before the first; `unwitnessed` counts those at the end that the witness does not have.
    """

    keys: PublicKeys
    before: Seal | None = None
    witness: Witness | None = None
    seals: int = 0
    unwitnessed: int = 0
    _witnessed: Iterator[Seal] = field(default_factory=lambda: iter(()))
    _next: Seal | None = None

    def __post_init__(self) -> None:
        if self.witness is not None:
            self._witnessed = seals_in_force(self.witness)
            after = self.before.number if self.before else 0
            self._next = next((seal for seal in self._witnessed if seal.number > after), None)

    def take(self, seal: Seal) -> Iterator[Finding]:
        """Take in the next seal and yield what is wrong with it."""
        self.seals += 1
        number = self.before.number + 1 if self.before else 1
        first = self.before.last_position + 1 if self.before else 1
        if seal.number != number:
            yield _finding(seal, f"seal {number}", f"seal {seal.number}")
        if seal.first_position != first or seal.events != seal.last_position - seal.first_position + 1:
            begins = f"seal {seal.number} over positions {seal.first_position} to {seal.last_position}"
            yield Finding(
                "seals",
                min(first, seal.first_position),
                max(first, seal.last_position),
                f"a seal that begins at position {first}",
                f"{begins}, {seal.events} events",
            )
        previous = self.before.hash if self.before else NO_SEAL
        if seal.previous != previous:
            yield _finding(
                seal, f"seal {seal.number} naming {previous} before it", f"seal {seal.number} naming {seal.previous}"
            )
        if not self.keys.knows(seal.key_id):
            yield _finding(seal, f"seal {seal.number} signed by a known key", f"the key {seal.key_id}")
        elif not seal.is_signed(self.keys):
            yield _finding(
                seal,
                f"seal {seal.number} as key {seal.key_id} signed it",
                f"another: root {seal.root}, {seal.events} events, of {seal.sealed_at.isoformat()}",
            )
        yield from self._at_witness(seal)
        self.before = seal

    def end(self, *, is_kept: Callable[[Seal], bool]) -> Iterator[Finding]:
        """Yield what the witness has beyond the last seal, but for what was sealed since the last was read."""
        first = last = None
        for seal in one_after_the_other([self._next] if self._next else [], self._witnessed):
            if first is None and is_kept(seal):
                continue
            first, last = first or seal, seal
        if first is None or last is None:
            return
        number = self.before.number if self.before else 0
        yield Finding(
            "witness",
            first.first_position,
            last.last_position,
            f"seals {first.number} to {last.number}, as the witness has them",
            f"no seal after number {number}: the end of the ledger is cut off",
        )

    def _at_witness(self, seal: Seal) -> Iterator[Finding]:
        while self._next is not None and self._next.number < seal.number:
            yield _finding(self._next, f"seal {self._next.number}, as the witness has it", "no such seal", "witness")
            self._next = next(self._witnessed, None)
        if self._next is None:
            self.unwitnessed += 1
            return
        if self._next.number > seal.number:
            yield _finding(seal, f"seal {seal.number} at the witness too", "none at the witness", "witness")
        elif self._next.number == seal.number:
            if self._next != seal:
                yield _finding(
                    self._next,
                    f"seal {seal.number} of hash {self._next.hash}, as the witness has it",
                    f"seal {seal.number} of hash {seal.hash}",
                    "witness",
                )
            self._next = next(self._witnessed, None)


def _finding(seal: Seal, expected: str, found: str, check: Check = "seals") -> Finding:
    return Finding(check, seal.first_position, seal.last_position, expected, found)
