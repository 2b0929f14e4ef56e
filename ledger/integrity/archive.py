"""An archive: a closed month's stretch of the ledger in files, with the seals over it; checked without a database.

A directory of three files. `events.pgcopy.gz` holds the events' rows as PostgreSQL's binary COPY writes them, which
are their canonical bytes; `seals.jsonl` the seals over them in order, after the one before them; `archive.json` says
which they are.
"""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from ledger.integrity.chain import Chain
from ledger.integrity.findings import Finding, Findings
from ledger.integrity.keys import PublicKeys
from ledger.integrity.merkle import root_of
from ledger.integrity.rows import COPY_HEADER, COPY_TRAILER, position_of, row_hash
from ledger.integrity.seals import Seal
from ledger.integrity.witness.records import Witness
from ledger.values.errors import InvalidValue

MANIFEST, EVENTS, SEALS = "archive.json", "events.pgcopy.gz", "seals.jsonl"
_FIELDS = 5
_decode_seal = msgspec.json.Decoder(Seal).decode


class Manifest(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="wattledger-archive/1"):
    """What an archive holds: the ledger from after the month closed before to this month's closing, in whole seals.

    `public_keys` are those that signed its seals, in hex: for convenience, not to be trusted.
    """

    month: str
    first_position: int
    last_position: int
    first_seal: int
    last_seal: int
    public_keys: list[str]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive in its directory; `before` is the seal before its first, None at the ledger's beginning."""

    directory: Path
    manifest: Manifest
    before: Seal | None
    seals: list[Seal]

    def rows(self) -> Iterator[bytes]:
        """Yield the events' rows in order, as `event_rows` does; raises InvalidValue for a damaged file."""
        try:
            with gzip.open(self.directory / EVENTS) as file:
                yield from _rows(file)
        except (OSError, EOFError, zlib.error) as error:
            raise InvalidValue(f"{self.directory / EVENTS} cannot be read: {error}; take another copy") from None


@dataclass(slots=True)
class Checked:
    """What was checked of archives that follow one another, and what was found."""

    first: int = 0
    last: int = 0
    events: int = 0
    seals: int = 0
    findings: Findings = field(default_factory=Findings)


def read_archive(directory: Path) -> Archive:
    """Read what an archive says of itself; raises InvalidValue for a directory that holds none."""
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
        seals = [_decode_seal(line) for line in (directory / SEALS).read_bytes().splitlines()]
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidValue(f"{directory} holds no archive that can be read: {error}") from None
    before = seals.pop(0) if seals and seals[0].number < manifest.first_seal else None
    if not seals:
        raise InvalidValue(f"{directory / SEALS} holds no seals; an archive has at least one: take another copy")
    span, covered = (
        (manifest.first_position, manifest.last_position),
        (seals[0].first_position, seals[-1].last_position),
    )
    if span != covered:
        raise InvalidValue(f"{directory} says positions {span}, its seals say {covered}; take another copy")
    return Archive(directory, manifest, before, seals)


def check_archives(archives: Iterable[Archive], *, keys: PublicKeys, witness: Witness | None = None) -> Checked:
    """Check archives that follow one another: every event under its seal's root, every seal signed and in its place.

    `keys` are those that are trusted. What is wrong is found, not raised; but for files that cannot be read.
    """
    checked = Checked()
    chain: Chain | None = None
    for archive in archives:
        chain = chain or Chain(keys, archive.before, witness)
        checked.first = checked.first or archive.manifest.first_position
        rows = archive.rows()
        for seal in archive.seals:
            for finding in chain.take(seal):
                checked.findings.add(finding)
            leaves = [row_hash(row) for row in _under(seal, rows, checked.findings)]
            if root_of(leaves).hex() != seal.root:
                checked.findings.add(_altered(seal, root_of(leaves).hex()))
            checked.events += len(leaves)
            checked.last = seal.last_position
        for row in islice(rows, 1):
            position = position_of(row)
            checked.findings.add(Finding("events", position, position, "no event after the last seal", "an event"))
        checked.seals += len(archive.seals)
    return checked


def _under(seal: Seal, rows: Iterator[bytes], findings: Findings) -> Iterator[bytes]:
    """Yield the rows under a seal, and find what is not where it must be."""
    for position in range(seal.first_position, seal.last_position + 1):
        row = next(rows, None)
        if row is None:
            findings.add(Finding("events", position, seal.last_position, "events", "the end of the file"))
            return
        if position_of(row) != position:
            found = f"the event of position {position_of(row)}"
            findings.add(Finding("events", position, position, f"the event of position {position}", found))
        yield row


def _altered(seal: Seal, root: str) -> Finding:
    expected = f"events of root {seal.root}, as seal {seal.number} says"
    return Finding("events", seal.first_position, seal.last_position, expected, f"events of root {root}")


def _rows(file: gzip.GzipFile) -> Iterator[bytes]:
    if file.read(len(COPY_HEADER)) != COPY_HEADER:
        raise OSError("it does not begin as PostgreSQL's binary COPY does")
    while (start := file.read(2)) != COPY_TRAILER:
        if int.from_bytes(start, "big") != _FIELDS:
            raise EOFError("a row does not begin where one must")
        parts = [start]
        for _ in range(_FIELDS):
            length = file.read(4)
            parts += [length, file.read(int.from_bytes(length, "big"))]
        yield b"".join(parts)
