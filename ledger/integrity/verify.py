"""Verification of a whole ledger: seals, events, streams and money, from the database as it stands.

Stretches of seals are handed to worker processes, which read the events as a stream; what this process keeps does not
grow with the ledger.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.integrity.blocks import Block, check_blocks
from ledger.integrity.chain import Chain
from ledger.integrity.findings import Finding, Findings
from ledger.integrity.kept import newest_seal, public_keys, seal_numbered, seal_over, seals_after
from ledger.integrity.keys import PublicKeys
from ledger.integrity.witness.records import Witness
from ledger.store.log import head_of

# A stretch is this many events at least, so that starting on one costs nothing, and what is unsealed is cut into
# blocks of this many.
_STRETCH_EVENTS = 40_000
_UNSEALED_BLOCK_EVENTS = 5_000
# Below this, starting processes takes longer than they save.
_WORTH_PROCESSES_EVENTS = 100_000
_PROCESSES = min(4, os.cpu_count() or 1)

Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Verified:
    """What was verified, positions `first` to `last`, and what was found."""

    first: int
    last: int
    events: int = 0
    seals: int = 0
    sealed_to: int = 0
    unwitnessed_seals: int = 0
    findings: Findings = field(default_factory=Findings)

    @property
    def unsealed(self) -> int:
        """Events newer than the last seal: verified, but not tamper-evident yet."""
        return max(self.last - max(self.sealed_to, self.first - 1), 0)


def verify(
    url: str,
    *,
    first: int = 1,
    last: int | None = None,
    witness: Witness | None = None,
    keys: PublicKeys | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Verified:
    """Verify the events between two positions, with every seal that touches them.

    `keys` are the public keys that are trusted; without them, those that the database itself keeps. `progress` is
    told the events done and those to do. Raises psycopg's errors, and those of the witness.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        newest = newest_seal(connection)
        # The newest seal first, so that no event under it is beyond the head that is read now.
        end, findings = _end_of(connection)
        upto = min(last, end) if last is not None else max(end, newest.last_position if newest else 0)
        begin = seal_over(connection, first)
        begin_position = begin.first_position if begin else first
        result = Verified(first=begin_position, last=upto)
        for finding in findings:
            result.findings.add(finding)
        before = seal_numbered(connection, begin.number - 1) if begin else None
        if begin is None and first > 1:
            before = newest
        chain = Chain(keys or public_keys(connection), before, witness)
        _check(url, _stretches(_blocks(connection, chain, result)), result, progress)
        if last is None:
            for finding in chain.end(is_kept=lambda seal: seal_numbered(connection, seal.number) == seal):
                result.findings.add(finding)
        result.seals, result.unwitnessed_seals = chain.seals, chain.unwitnessed
    return result


def _end_of(connection: Connection[Any]) -> tuple[int, list[Finding]]:
    """Return the ledger's last position; the gate's word on it and the events must agree."""
    head, _ = head_of(connection)
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(
            "SELECT coalesce(max(notification_id), 0) FROM ledger.events WHERE notification_id > %s", (head,)
        ).fetchone()
    beyond = row[0] if row else 0
    # What was appended after the head was read is newer than what is verified.
    head_now, _ = head_of(connection)
    if beyond > head_now:
        return beyond, [Finding("gate", head + 1, beyond, f"no event after the gate's head {head}", "events")]
    return head, []


def _blocks(connection: Connection[Any], chain: Chain, result: Verified) -> Iterator[Block]:
    """Yield the blocks to verify: those under seals, each held against the chain, then what is not sealed."""
    after = chain.before.number if chain.before else 0
    position = result.first
    for seal in seals_after(connection, after=after):
        if seal.first_position > result.last:
            break
        for finding in chain.take(seal):
            result.findings.add(finding)
        result.sealed_to = seal.last_position
        if seal.first_position < position or seal.last_position < seal.first_position:
            continue  # told by the chain; positions are read once, in order
        if seal.first_position > position:
            yield Block(0, position, seal.first_position - 1, "")
        yield Block(seal.number, seal.first_position, seal.last_position, seal.root)
        position = seal.last_position + 1
    result.last = max(result.last, position - 1)
    while position <= result.last:
        end = min(position + _UNSEALED_BLOCK_EVENTS - 1, result.last)
        yield Block(0, position, end, "")
        position = end + 1


def _stretches(blocks: Iterator[Block]) -> Iterator[list[Block]]:
    stretch: list[Block] = []
    for block in blocks:
        stretch.append(block)
        if block.last - stretch[0].first + 1 >= _STRETCH_EVENTS:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def _check(url: str, stretches: Iterator[list[Block]], result: Verified, progress: Progress) -> None:
    """Verify every stretch, in worker processes where that pays."""

    def take(checked: tuple[int, list[Finding]]) -> None:
        read, findings = checked
        result.events += read
        for finding in findings:
            result.findings.add(finding)
        progress(result.events, result.last - result.first + 1)

    if result.last - result.first + 1 < _WORTH_PROCESSES_EVENTS or _PROCESSES == 1:
        for stretch in stretches:
            take(check_blocks(url, stretch))
        return
    waiting: deque[Future[tuple[int, list[Finding]]]] = deque()
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        for stretch in stretches:
            waiting.append(pool.submit(check_blocks, url, stretch))
            if len(waiting) > 2 * _PROCESSES:
                take(waiting.popleft().result())
        while waiting:
            take(waiting.popleft().result())
