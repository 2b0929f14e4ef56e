"""Reading ahead: the log's next page is read and decoded in a thread while the present one is written.

Reading is a third of a batch's time, and nothing in it waits for the rows being written: the log only grows, and
pages follow from positions alone. What was read ahead is used only where it follows the read models' positions, which
are held when a page is written; else it is dropped.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import Connection

from ledger.store.log import Logged, read_log
from projections.outline import outline_of


@dataclass(frozen=True, slots=True)
class Page:
    """Up to `limit` events of the log, in order."""

    events: list[Logged]
    limit: int

    @property
    def is_full(self) -> bool:
        """Whether there may be more behind it."""
        return len(self.events) == self.limit


def read_page(connection: Connection[Any], *, after: int, upto: int | None = None, limit: int) -> Page:
    """Read the page after a position, debits in outline."""
    return Page(read_log(connection, after=after, upto=upto, limit=limit, reading=outline_of), limit)


class ReadAhead:
    """One page on its way, read in a thread over a connection of its own; used from one thread."""

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self._connect = connect
        self._connection: Connection[Any] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
        self._coming: tuple[int, Future[Page]] | None = None

    def start(self, *, after: int, limit: int) -> None:
        """Begin to read the page after a position."""
        self._coming = (after, self._thread.submit(self._read, after, limit))

    def take(self, *, after: int) -> Page | None:
        """Return the page after a position, waiting for it; None where it is not under way, or had nothing yet.

        Raises what its reading raised.
        """
        coming, self._coming = self._coming, None
        if coming is None or coming[0] != after:
            return None
        page = coming[1].result()
        return page if page.events else None

    def close(self) -> None:
        """Wait for what is under way, and close the connection."""
        self._thread.shutdown(cancel_futures=True)
        if self._connection is not None:
            self._connection.close()

    def _read(self, after: int, limit: int) -> Page:
        try:
            if self._connection is None:
                self._connection = self._connect()
            return read_page(self._connection, after=after, limit=limit)
        except psycopg.Error:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()
            raise
