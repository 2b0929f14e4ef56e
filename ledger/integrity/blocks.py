"""Verifying a stretch of the ledger: each event where it must be, balanced, and under the root that was sealed."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import Connection

from ledger.domain.event import Posting
from ledger.integrity.findings import Finding
from ledger.integrity.kept import leaves_of
from ledger.integrity.merkle import root_of
from ledger.integrity.rows import event_rows, position_of, row_hash
from ledger.integrity.versions import not_following, out_of_sequence


class Block(NamedTuple):
    """Positions that are verified together, by the seal over them; number 0 and no root where none is yet."""

    number: int
    first: int
    last: int
    root: str


class _Money(msgspec.Struct, gc=False):
    postings: list[Posting] = []


_decode_money = msgspec.json.Decoder(_Money).decode

_PORTION_EVENTS = 50


def check_blocks(url: str, blocks: Sequence[Block]) -> tuple[int, list[Finding]]:
    """Verify consecutive blocks on a connection of its own; return the events read and what was found."""
    stretch = _Stretch()
    broken: list[Block] = []
    with psycopg.connect(url, autocommit=True) as connection:
        rows = _Rows(event_rows(connection, first=blocks[0].first, last=blocks[-1].last))
        for block in blocks:
            leaves = stretch.hashed(rows, block)
            is_whole = len(leaves) == block.last - block.first + 1
            if not is_whole or (block.root and root_of(leaves).hex() != block.root):
                broken.append(block)
        findings = stretch.findings
        findings += not_following(connection, stretch.firsts)
        for block in broken:
            events = list(event_rows(connection, first=block.first, last=block.last))
            findings += coalesced(_broken(connection, block, {position_of(row): row_hash(row) for row in events}))
    return stretch.events, findings


class _Rows:
    """Rows in order, handed out in small portions: what was just read is still in the processor's cache."""

    def __init__(self, rows: Iterator[bytes]) -> None:
        self._rows = rows
        self._put_back: list[bytes] = []

    def upto(self, last: int) -> Iterator[list[bytes]]:
        """Yield the rows up to a position."""
        while portion := self._put_back or list(islice(self._rows, _PORTION_EVENTS)):
            self._put_back = []
            if position_of(portion[-1]) > last:
                cut = bisect_right(portion, last, key=position_of)
                portion, self._put_back = portion[:cut], portion[cut:]
            yield portion
            if self._put_back:
                return


@dataclass(slots=True)
class _Stretch:
    """What is known of events read in order: each stream's version so far, and the first event of each stream."""

    events: int = 0
    findings: list[Finding] = field(default_factory=list)
    firsts: list[bytes] = field(default_factory=list)
    _versions: dict[bytes, int] = field(default_factory=dict)

    def hashed(self, rows: _Rows, block: Block) -> list[bytes]:
        """Take in a block's events and return their hashes."""
        leaves: list[bytes] = []
        for portion in rows.upto(block.last):
            leaves += [sha256(row).digest() for row in portion]
            self._check(portion)
        self.events += len(leaves)
        return leaves

    def _check(self, portion: Sequence[bytes]) -> None:
        """See that each event is the next of its stream, and that its postings sum to zero."""
        versions = self._versions
        # One loop, and no call but the one that reads JSON: it goes round for every event there is.
        for row in portion:
            stream, version = row[18:34], int.from_bytes(row[38:46], "big")
            before = versions.get(stream)
            versions[stream] = version
            if before is None:
                # The first that is met of a stream is looked up later.
                self.firsts.append(row[:46])
            elif version != before + 1:
                self.findings.append(out_of_sequence(row, before=before))
            total = 0
            try:
                for posting in _decode_money(row[54 + int.from_bytes(row[46:50], "big") :]).postings:
                    total += posting.amount_micros
            except msgspec.DecodeError as error:
                position = position_of(row)
                found = f"bytes that are none ({error})"
                self.findings.append(Finding("events", position, position, "a fact in JSON", found))
            if total:
                position = position_of(row)
                found = f"a sum of {total} micro-units"
                self.findings.append(Finding("conservation", position, position, "postings that sum to 0", found))


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
