"""Parquet: a file of events and a file of postings; amounts are decimals, times are UTC with microseconds."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
from pyarrow import parquet as pq

from projections.exports.source import Exported
from projections.exports.tables import EVENTS, POSTINGS, event_row, posting_rows

_EVENTS, _POSTINGS = "events.parquet", "postings.parquet"
_ROWS_PER_GROUP = 20_000

_TYPES = {
    "position": pa.int64(),
    "version": pa.int64(),
    "line": pa.int32(),
    "recorded_at": pa.timestamp("us", tz="UTC"),
    "effective_at": pa.timestamp("us", tz="UTC"),
    "amount": pa.decimal128(24, 6),
}


class _Table:
    """A Parquet file that is written group by group, so that memory does not grow with it."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self._schema = pa.schema([pa.field(name, _TYPES.get(name, pa.string()), nullable=False) for name in names])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []
        self.count = 0

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row."""
        self._rows.append(row)
        self.count += 1
        if len(self._rows) >= _ROWS_PER_GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
            self._rows.clear()


class ParquetFiles:
    """Writes `events.parquet` and `postings.parquet`."""

    def __init__(self, directory: Path) -> None:
        self.rows = {_EVENTS: 0, _POSTINGS: 0}
        self._directory = directory

    def __enter__(self) -> Self:
        """Open the files."""
        self._events = _Table(self._directory / _EVENTS, EVENTS)
        self._postings = _Table(self._directory / _POSTINGS, POSTINGS)
        return self

    def take(self, event: Exported) -> None:
        """Write an event and its postings."""
        self._events.add(event_row(event))
        for row in posting_rows(event):
            self._postings.add(row)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left and close the files."""
        self._events.close()
        self._postings.close()
        self.rows = {_EVENTS: self._events.count, _POSTINGS: self._postings.count}
