"""A witness in a file: JSON lines, only ever appended to, on the disk before a seal is acknowledged."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from ledger.integrity.witness.records import Record, WitnessFailed, line_of, record_of

_BLOCK_BYTES = 65_536


class FileWitness:
    """Keep it where whoever may write the database may not: another host's mount, another user, write-once media."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"file {path}"

    def append(self, records: Sequence[Record]) -> None:
        """Add records and wait for the disk; what a crash left of a line is completed, never cut off."""
        lines = b"".join(line_of(record) for record in records)
        try:
            self._prepare()
            torn = self._torn()
            if not lines.startswith(torn):
                raise WitnessFailed(
                    f"{self.path} ends in the middle of a line that is not the next record: {torn[:80]!r};"
                    " compare it with a copy, and mend that line by hand"
                )
            with self.path.open("ab", buffering=0) as file:
                remaining = memoryview(lines)[len(torn) :]
                while remaining:
                    remaining = remaining[file.write(remaining) or 0 :]
                os.fsync(file.fileno())
        except OSError as error:
            raise WitnessFailed(f"{self.path} cannot be written: {error}") from error

    def newest(self) -> Record | None:
        """Return the record in the last whole line."""
        lines = self._tail().split(b"\n")[:-1]
        return record_of(lines[-1], where=f"the last line of {self.path}") if lines else None

    def records(self) -> Iterator[Record]:
        """Yield every record; a line that a crash cut short was never acknowledged, and does not count."""
        try:
            with self.path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    if line.endswith(b"\n"):
                        yield record_of(line, where=f"line {number} of {self.path}")
        except FileNotFoundError:
            return
        except OSError as error:
            raise WitnessFailed(f"{self.path} cannot be read: {error}") from error

    def _prepare(self) -> None:
        """Make the file, so that its name outlives a power cut as its content does."""
        if self.path.exists():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch(mode=0o644)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _torn(self) -> bytes:
        return self._tail().rpartition(b"\n")[2]

    def _tail(self) -> bytes:
        """Return the end of the file: the last whole line at least, and what follows it."""
        try:
            with self.path.open("rb") as file:
                end = file.seek(0, os.SEEK_END)
                tail = b""
                while end > 0 and tail.count(b"\n") < 2:
                    begin = max(0, end - _BLOCK_BYTES)
                    file.seek(begin)
                    tail = file.read(end - begin) + tail
                    end = begin
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise WitnessFailed(f"{self.path} cannot be read: {error}") from error
        return tail if end == 0 else tail.partition(b"\n")[2]
