"""JSON lines: every event exactly as it is stored, with its place in the ledger."""

from io import BufferedWriter
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from projections.exports.source import Exported

NAME = "events.jsonl"


class JsonLines:
    """Writes `events.jsonl`."""

    def __init__(self, directory: Path) -> None:
        self.rows = {NAME: 0}
        self._path = directory / NAME
        self._encode = msgspec.json.Encoder().encode

    def __enter__(self) -> Self:
        """Open the file."""
        self._file: BufferedWriter = self._path.open("wb")
        return self

    def take(self, event: Exported) -> None:
        """Write an event."""
        line = {
            "position": event.position,
            "stream": event.stream,
            "version": event.version,
            "topic": event.topic,
            "event": msgspec.Raw(event.state),
        }
        self._file.write(self._encode(line) + b"\n")
        self.rows[NAME] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()
