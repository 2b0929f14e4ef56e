"""What writes an export: one writer per format, fed event by event."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ledger.values.errors import InvalidValue
from projections.errors import ProjectionsError
from projections.exports.source import Exported


class ExtraMissing(ProjectionsError):
    """A library that a format needs is not installed."""


class Writer(Protocol):
    """Writes events to files in a directory; `rows` counts the rows of each of its files by name."""

    rows: dict[str, int]

    def __enter__(self) -> Self:
        """Open the files."""
        ...

    def take(self, event: Exported) -> None:
        """Write the next event."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, unless something failed, and close the files."""
        ...


def writer_of(form: str, directory: Path) -> Writer:
    """Return the writer of a format; raises InvalidValue for an unknown one, ExtraMissing without its library."""
    if form not in FORMATS:
        raise InvalidValue(f"format {form!r} is not known; use {', '.join(FORMATS)}")
    return FORMATS[form](directory)


def _json_lines(directory: Path) -> Writer:
    from projections.exports.json_lines import JsonLines

    return JsonLines(directory)


def _csv(directory: Path) -> Writer:
    from projections.exports.csv_files import CsvFiles

    return CsvFiles(directory)


def _parquet(directory: Path) -> Writer:
    try:
        from projections.exports.parquet import ParquetFiles
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "pyarrow":
            raise
        raise ExtraMissing("Parquet needs pyarrow; install 'wattledger[server,export]'") from None
    return ParquetFiles(directory)


def _beancount(directory: Path) -> Writer:
    from projections.exports.beancount import BeancountFile

    return BeancountFile(directory)


FORMATS: dict[str, Callable[[Path], Writer]] = {
    "jsonl": _json_lines,
    "csv": _csv,
    "parquet": _parquet,
    "beancount": _beancount,
}
