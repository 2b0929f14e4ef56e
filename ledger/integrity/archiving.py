"""Making the archive of a closed month, and loading archives into an empty ledger, one after the other."""

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.books import BalancesClosed, MonthClosed
from ledger.domain.event import Fact
from ledger.integrity.archive import EVENTS, MANIFEST, SEALS, Archive, Manifest
from ledger.integrity.kept import add_seal, kept_keys, seal_numbered, seal_over, seals_after
from ledger.integrity.keys import key_id_of
from ledger.integrity.merkle import root_of
from ledger.integrity.rows import COPY_HEADER, COPY_TRAILER, event_rows, row_hash
from ledger.integrity.seals import Seal
from ledger.store.copying import PRICED_BY
from ledger.store.gate import gated
from ledger.store.mapper import fact_of
from ledger.values.errors import Conflict, NotFound, Refused
from ledger.values.identity import books_stream

Progress = Callable[[int, int], None]

# Most of a debit's bytes are alike from one to the next: the fastest level is a third larger than the slowest.
_LEVEL = 1
_COPY = (
    "COPY ledger.events (notification_id, originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
)
_HEAD = """
UPDATE ledger.gate SET head = %(head)s, control_head = coalesce((
    SELECT max(notification_id) FROM ledger.events
    WHERE topic NOT LIKE 'meter.%%' AND topic LIKE ANY(%(priced_by)s)), 0)
"""


def write_archive(
    connection: Connection[Any], *, month: str, directory: Path, progress: Progress = lambda _done, _total: None
) -> Manifest:
    """Write the archive of a closed month into a new directory, which is there once it is complete.

    Each event is held against its seal as it is read. Raises NotFound for a month that is not closed, Refused where
    its closing is not complete or not sealed yet or where an event is not what was sealed, Conflict for a directory
    that exists.
    """
    if directory.exists():
        raise Conflict(f"{directory} is there already; name a new directory")
    first, last = _seals_of(connection, month)
    seals = list(seals_after(connection, after=first.number - 1, upto=last.number))
    before = seal_numbered(connection, first.number - 1)
    keys = kept_keys(connection)
    manifest = Manifest(
        month=month,
        first_position=first.first_position,
        last_position=last.last_position,
        first_seal=first.number,
        last_seal=last.number,
        public_keys=[keys[key_id].hex() for key_id in sorted({seal.key_id for seal in seals}) if key_id in keys],
    )
    partial = directory.with_name(f"{directory.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    with gzip.GzipFile(partial / EVENTS, "wb", compresslevel=_LEVEL, mtime=0) as file:
        file.write(COPY_HEADER)
        for row in _sealed_rows(connection, seals, progress):
            file.write(row)
        file.write(COPY_TRAILER)
    lines = [msgspec.json.encode(seal) for seal in [*([before] if before else []), *seals]]
    (partial / SEALS).write_bytes(b"".join(line + b"\n" for line in lines))
    (partial / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    for name in (EVENTS, SEALS, MANIFEST):
        _sync(partial / name)
    partial.rename(directory)
    _sync(directory.parent)
    return manifest


def load_archive(connection: Connection[Any], archive: Archive) -> None:
    """Append an archive's events and seals to a ledger that ends where it begins: an empty one for the first.

    For looking into what is archived, and for read models rebuilt elsewhere; whoever loads owns the tables. Check
    the archive before. Raises Refused for a ledger that ends anywhere else.
    """
    manifest = archive.manifest
    with gated(connection) as gate:
        if gate.head != manifest.first_position - 1:
            raise Refused(
                f"the ledger ends at position {gate.head} and the archive of {manifest.month} begins at"
                f" {manifest.first_position}; load archives in order, the first one into an empty ledger"
            )
        hashes: list[bytes] = []
        with gate.cursor.copy(_COPY) as copy:
            copy.write(COPY_HEADER)
            for row in archive.rows():
                copy.write(row)
                hashes.append(row_hash(row))
            copy.write(COPY_TRAILER)
        priced_by = [f"{prefix}%" for prefix in PRICED_BY]
        gate.cursor.execute(_HEAD, {"head": manifest.last_position, "priced_by": priced_by})
        _load_seals(connection, archive, hashes)


def _load_seals(connection: Connection[Any], archive: Archive, hashes: list[bytes]) -> None:
    for key in map(bytes.fromhex, archive.manifest.public_keys):
        connection.execute(
            "INSERT INTO ledger.sealing_keys (key_id, public_key, first_seal) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            (key_id_of(key), key, archive.manifest.first_seal),
        )
    for seal in archive.seals:
        begin = seal.first_position - archive.manifest.first_position
        add_seal(connection, seal, hashes[begin : begin + seal.events])


def _seals_of(connection: Connection[Any], month: str) -> tuple[Seal, Seal]:
    """Return the first and the last seal of a month's archive: each month's begins where the one before ends."""
    ends: dict[str, int] = {}
    complete: set[str] = set()
    for position, fact in _closings(connection):
        match fact:
            case MonthClosed():
                ends[fact.month] = position
            case BalancesClosed():
                ends[fact.month] = position
                if fact.part == fact.parts:
                    complete.add(fact.month)
    if month not in ends:
        raise NotFound(f"month {month} is not closed; close it first: wattledger ledger close-month {month}")
    if month not in complete:
        raise Refused(
            f"the balances of {month} are not all kept yet; run again: wattledger ledger close-month {month}"
        )
    last = seal_over(connection, ends[month])
    if last is None:
        raise Refused(f"the closing of {month} is not sealed yet; see that `wattledger seal` runs, and ask again")
    earlier = [position for closed, position in ends.items() if closed < month]
    before = seal_over(connection, max(earlier)) if earlier else None
    first = seal_numbered(connection, before.number + 1 if before else 1)
    if first is None or first.number > last.number:
        raise Refused(f"the closing of {month} is under one seal with the one before; it is in that month's archive")
    return first, last


def _closings(connection: Connection[Any]) -> Iterator[tuple[int, Fact]]:
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT notification_id, topic, state FROM ledger.events WHERE originator_id = %s"
            " ORDER BY originator_version",
            (books_stream(),),
        )
        for position, topic, state in cursor:
            yield position, fact_of(topic, bytes(state))


def _sealed_rows(connection: Connection[Any], seals: list[Seal], progress: Progress) -> Iterator[bytes]:
    """Yield the rows under seals, each block once it is known to be what was sealed."""
    first, last = seals[0].first_position, seals[-1].last_position
    for seal in seals:
        rows = list(event_rows(connection, first=seal.first_position, last=seal.last_position))
        if root_of([row_hash(row) for row in rows]).hex() != seal.root:
            raise Refused(
                f"positions {seal.first_position} to {seal.last_position} are not what seal {seal.number} covers;"
                " nothing is archived: run `wattledger audit verify`"
            )
        yield from rows
        progress(seal.last_position - first + 1, last - first + 1)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
