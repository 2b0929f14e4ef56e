"""Merkle trees as RFC 6962 (section 2.1) defines them, with SHA-256: roots, audit paths, and roots by paths.

Not a library's: the kept one (pymerkle) gives the same roots at five times the cost, for it hashes a tree that grows;
ours are hashed once.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf: a prefix keeps leaves and nodes apart."""
    return sha256(b"\x00" + entry).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _level_above(level: Sequence[bytes]) -> list[bytes]:
    """Return the next level: a node per pair, and the odd one out as it is."""
    above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2], strict=False)]
    if len(level) % 2:
        above.append(level[-1])
    return above


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes, in their order; of none, the hash of nothing."""
    if not leaves:
        return sha256().digest()
    level = list(leaves)
    while len(level) > 1:
        level = _level_above(level)
    return level[0]


def path_of(leaves: Sequence[bytes], number: int) -> list[bytes]:
    """Return the audit path of a leaf, counted from 0: its siblings from the bottom to the top."""
    if not 0 <= number < len(leaves):
        raise IndexError(f"leaf {number} of {len(leaves)}")
    path, level = [], list(leaves)
    while len(level) > 1:
        sibling = number ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _level_above(level)
        number //= 2
    return path


def root_by_path(leaf: bytes, *, number: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that a leaf and its path lead to in a tree of `count` leaves; None where none can."""
    if not 0 <= number < count:
        return None
    siblings, reached, last = iter(path), leaf, count - 1
    try:
        while last:
            if number % 2:
                reached = _node_hash(next(siblings), reached)
            elif number < last:
                reached = _node_hash(reached, next(siblings))
            number, last = number // 2, last // 2
    except StopIteration:
        return None
    return reached if next(siblings, None) is None else None
