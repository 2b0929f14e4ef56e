"""CSV: a file of events and a file of postings; times in UTC, amounts with all their places."""

import csv
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from projections.exports.source import Exported
from projections.exports.tables import EVENTS, POSTINGS, event_row, posting_rows

_EVENTS, _POSTINGS = "events.csv", "postings.csv"


class CsvFiles:
    """Writes `events.csv` and `postings.csv`."""

    def __init__(self, directory: Path) -> None:
        self.rows = {_EVENTS: 0, _POSTINGS: 0}
        self._directory = directory
        self._files = ExitStack()

    def __enter__(self) -> Self:
        """Open the files and write their headers."""
        self._events = self._writer(_EVENTS, EVENTS)
        self._postings = self._writer(_POSTINGS, POSTINGS)
        return self

    def take(self, event: Exported) -> None:
        """Write an event and its postings."""
        self._events.writerow(map(_text, event_row(event)))
        self.rows[_EVENTS] += 1
        for row in posting_rows(event):
            self._postings.writerow(map(_text, row))
            self.rows[_POSTINGS] += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        self._files.close()

    def _writer(self, name: str, header: tuple[str, ...]) -> Any:
        file = self._files.enter_context((self._directory / name).open("w", encoding="utf-8", newline=""))
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        return writer


def _text(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
