"""What was billed of a supply point before: read only where a reading contradicts or replaces it.

The stream is read from its end, no further than is needed: every correction keeps the counters before the debit that
it corrects, so that a history may begin there, as long as no later correction reaches further back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.billed import BilledHistory
from ledger.domain.event import Fact
from ledger.domain.meter import UsageCorrected, UsageDebited
from ledger.rating.lines import FRESH, Counters
from ledger.store.mapper import fact_of

Versioned = tuple[int, Fact]

_PAGE_EVENTS = 500
_EARLIER = """
SELECT originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND originator_version < %s ORDER BY originator_version DESC LIMIT %s
"""


def read_history(
    connection: Connection[Any], *, stream: UUID, version: int, newest: Sequence[Versioned], readings: Iterable[UUID]
) -> BilledHistory:
    """Return the debits of a meter stream, back to those of the readings, or all where one is not among them.

    `version` is the newest stored event that is to be read, `newest` are the events that follow it.
    """
    looking = _Looking(set(readings))
    taken: list[Versioned] = []
    for event in _backwards(connection, stream=stream, version=version, newest=newest):
        taken.append(event)
        looking.pass_over(*event)
        if looking.is_done(event[0]):
            break
    history = looking.history()
    for event in reversed(taken):
        history.take(*event)
    return history


def _backwards(
    connection: Connection[Any], *, stream: UUID, version: int, newest: Sequence[Versioned]
) -> Iterator[Versioned]:
    yield from reversed(newest)
    below = version + 1
    while below > 1:
        with connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(_EARLIER, (stream, below, _PAGE_EVENTS), prepare=True).fetchall()
        for below, topic, state in rows:
            yield below, fact_of(topic, bytes(state))
        if not rows:
            return


@dataclass(slots=True)
class _Looking:
    """Going back through a stream: which readings are still to be found, and where a history may begin.

    `reach` is the earliest debit that the corrections passed over correct: what came before it is as it was.
    """

    wanted: set[UUID]
    found: int | None = None
    reach: int | None = None
    starts: dict[int, Counters] = field(default_factory=dict)

    def pass_over(self, version: int, fact: Fact) -> None:
        """Note the next event on the way back."""
        if isinstance(fact, UsageCorrected):
            self._may_begin(fact.debit_version, fact.before)
            self.reach = fact.debit_version if self.reach is None else min(self.reach, fact.debit_version)
        elif isinstance(fact, UsageDebited):
            self._may_begin(version, fact.before)
            if fact.reading in self.wanted:
                self.wanted.discard(fact.reading)
                self.found = version

    def _may_begin(self, version: int, before: Counters) -> None:
        if self.reach is None or version <= self.reach:
            self.starts.setdefault(version, before)

    def _start(self) -> int | None:
        """Return the latest debit at which a history may begin that holds all readings; None where none is known."""
        if self.wanted or self.found is None:
            return None
        return max((version for version in self.starts if version <= self.found), default=None)

    def is_done(self, version: int) -> bool:
        """Tell whether the way back has come far enough."""
        start = self._start()
        return start is not None and version <= start

    def history(self) -> BilledHistory:
        """Return the history, still empty."""
        start = self._start()
        if start is None:
            return BilledHistory()
        return BilledHistory(before=self.starts.get(start, FRESH), first_version=start)
