"""Verifying a stretch of the ledger: each event where it must be, balanced, and under the root that was sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import Connection

from ledger.domain.event import Posting
from ledger.integrity.findings import Finding
from ledger.integrity.kept import leaves_of
from ledger.integrity.merkle import root_of
from ledger.integrity.rows import event_rows, position_of, row_hash, state_of


class Block(NamedTuple):
    """Positions that are verified together, by the seal over them; number 0 and no root where none is yet."""

    number: int
    first: int
    last: int
    root: str


class _Money(msgspec.Struct, gc=False):
    postings: list[Posting] = []


_decode_money = msgspec.json.Decoder(_Money).decode

_CHUNK_EVENTS = 50


def check_blocks(url: str, blocks: Sequence[Block]) -> tuple[int, list[Finding]]:
    """Verify consecutive blocks on a connection of its own; return the events read and what was found."""
    read = 0
    findings: list[Finding] = []
    broken: list[tuple[Block, dict[int, bytes]]] = []
    with psycopg.connect(url, autocommit=True) as connection:
        rows: Iterator[bytes] | None = None
        for block in blocks:
            rows = rows or event_rows(connection, first=block.first, last=blocks[-1].last)
            seen = _Seen()
            seen.take(islice(rows, block.last - block.first + 1))
            if not seen.is_whole(block):
                # Events are missing, so these may be the next block's: read each by itself from here on.
                list(rows)
                rows = None
                seen = _Seen()
                seen.take(event_rows(connection, first=block.first, last=block.last))
            if not seen.is_whole(block) or (block.root and root_of(seen.leaves).hex() != block.root):
                broken.append((block, dict(zip(seen.positions, seen.leaves, strict=True))))
            findings += seen.findings
            read += len(seen.leaves)
        if rows is not None:
            list(rows)  # a COPY is read to its end before anything else is asked
        for block, hashes in broken:
            findings += coalesced(_broken(connection, block, hashes))
    return read, findings


@dataclass(slots=True)
class _Seen:
    """Events as they come in, with their hashes and what is wrong with their money."""

    leaves: list[bytes] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def take(self, rows: Iterator[bytes]) -> None:
        """Take events in, a few at a time: what was just read is still in the processor's cache."""
        while chunk := list(islice(rows, _CHUNK_EVENTS)):
            self.leaves += map(row_hash, chunk)
            self.positions += map(position_of, chunk)
            self.findings += _unbalanced(chunk)

    def is_whole(self, block: Block) -> bool:
        """Tell whether no event is missing: they come in order, so the ends and the number say it."""
        return len(self.leaves) == block.last - block.first + 1 and (
            (self.positions[0], self.positions[-1]) == (block.first, block.last)
        )


def _unbalanced(events: Sequence[bytes]) -> Iterator[Finding]:
    """Yield the events whose postings do not sum to zero, and those that cannot be read."""
    for event in events:
        try:
            postings = _decode_money(state_of(event)).postings
        except msgspec.DecodeError as error:
            position = position_of(event)
            yield Finding("events", position, position, "a fact in JSON", f"bytes that are none ({error})")
            continue
        total = 0
        for posting in postings:
            total += posting.amount_micros
        if total:
            position = position_of(event)
            found = f"a sum of {total} micro-units"
            yield Finding("conservation", position, position, "postings that sum to 0", found)


def _broken(connection: Connection[Any], block: Block, hashes: dict[int, bytes]) -> Iterator[Finding]:
    """Say which events of a block are broken: by the hashes kept with the seal, where they lead to its root."""
    kept = leaves_of(connection, block.number) if block.root else []
    is_kept = bool(kept) and root_of(kept).hex() == block.root
    for offset, position in enumerate(range(block.first, block.last + 1)):
        leaf = hashes.get(position)
        sealed = f"the event of hash {kept[offset].hex()}" if is_kept and offset < len(kept) else "an event"
        if leaf is None:
            yield Finding("events", position, position, sealed, "no event")
        elif is_kept and (offset >= len(kept) or leaf != kept[offset]):
            yield Finding("events", position, position, sealed, f"an event of hash {leaf.hex()}")
    if block.root and not is_kept:
        root = root_of(list(hashes.values())).hex()
        what = f"root {root} over {len(hashes)} events"
        yield Finding("seals", block.first, block.last, f"root {block.root} of seal {block.number}", what)


def coalesced(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Join findings of the same kind at neighbouring positions: the first one's words stand for all."""
    run: Finding | None = None
    for finding in findings:
        if run is not None and finding.check == run.check and finding.first == run.last + 1:
            run = Finding(run.check, run.first, finding.last, run.expected, run.found)
            continue
        if run is not None:
            yield run
        run = finding
    if run is not None:
        yield run
