"""An export: files, and a manifest that says what is in them, down to their digests."""

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from psycopg import Connection

from ledger.store.log import head_of
from ledger.values.errors import Refused
from projections.exports.format import writer_of
from projections.exports.source import Exported, expected_events, exported
from projections.queries import BeyondTheHead

MANIFEST = "manifest.json"
_TELL_EVERY = 500

Progress = Callable[[int, int], None]


class ExportedFile(msgspec.Struct, frozen=True):
    """A file of an export: its rows (events, postings or transactions), bytes, and SHA-256 in hex."""

    name: str
    rows: int
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What an export holds: of the whole ledger, or of one account, up to a position of the ledger.

    `first` and `last` are the positions of the first and the last event in it, 0 where there is none. Exports of the
    same position are the same to the last byte.
    """

    format: str
    account: str
    position: int
    first: int
    last: int
    events: int
    postings: int
    files: list[ExportedFile]


@dataclass(slots=True)
class _Count:
    first: int = 0
    last: int = 0
    events: int = 0
    postings: int = 0

    def take(self, event: Exported) -> None:
        """Count an event."""
        self.first = self.first or event.position
        self.last = event.position
        self.events += 1
        self.postings += len(event.postings)


def export(
    connection: Connection[Any],
    *,
    form: str,
    directory: Path,
    account: str | None = None,
    position: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write an export into an empty or new directory, its manifest last; `progress` gets events done and expected.

    Raises Refused where the directory holds anything, BeyondTheHead, InvalidValue for an unknown format.
    """
    head, _ = head_of(connection)
    if position is not None and position > head:
        raise BeyondTheHead(f"position {position} is beyond the ledger's head, {head}; ask for one up to that")
    upto = head if position is None else position
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise Refused(f"{directory} is not an empty directory; name one that is, or a new one")
    writer = writer_of(form, directory)
    directory.mkdir(parents=True, exist_ok=True)
    count, total = _Count(), expected_events(connection, account=account, position=upto)
    try:
        with writer, closing(exported(connection, account=account, position=upto)) as events:
            for event in events:
                writer.take(event)
                count.take(event)
                if progress and count.events % _TELL_EVERY == 0:
                    progress(count.events, max(total, count.events))
    except BaseException:
        for name in writer.rows:
            (directory / name).unlink(missing_ok=True)
        raise
    manifest = Manifest(
        format=form,
        account=account or "",
        position=upto,
        first=count.first,
        last=count.last,
        events=count.events,
        postings=count.postings,
        files=[_file(directory / name, rows) for name, rows in writer.rows.items()],
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (directory / MANIFEST).write_bytes(text + b"\n")
    return manifest


def _file(path: Path, rows: int) -> ExportedFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ExportedFile(path.name, rows, path.stat().st_size, digest)
