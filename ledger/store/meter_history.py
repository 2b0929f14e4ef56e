"""What was billed of a supply point before: read only where a reading contradicts or replaces it.

The stream is read from its end, no further than is needed: every correction keeps the counters before the debit that
it corrects, so that a history may begin there, as long as no later correction reaches further back.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.billed import BilledHistory
from ledger.domain.event import Fact
from ledger.domain.meter import BillingPeriodClosed, MeterState, TimeChargeDebited, UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.occupancy import kept
from ledger.rating.lines import Counters
from ledger.store.mapper import fact_of

Versioned = tuple[int, Fact]

_PAGE_EVENTS = 500
_EARLIER = """
SELECT originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND originator_version < %s ORDER BY originator_version DESC LIMIT %s
"""


def read_history(
    connection: Connection[Any],
    *,
    stream: UUID,
    version: int,
    newest: Sequence[Versioned],
    readings: Iterable[UUID],
    beyond: datetime | None = None,
) -> BilledHistory:
    """Return the debits of a meter stream, back to those of the readings, or all where one is not among them.

    `version` is the newest stored event that is to be read, `newest` are the events that follow it. With `beyond`, a
    register's debits are returned from the first on that reaches beyond that instant.
    """
    looking = _Looking(set(readings), beyond)
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
    beyond: datetime | None = None
    found: int | None = None
    last: UUID | None = None
    is_passed: bool = False
    is_time_passed: bool | None = None
    is_whole: bool = False
    reach: int | None = None
    starts: dict[int, Mapping[int, Counters]] = field(default_factory=dict)

    def pass_over(self, version: int, fact: Fact) -> None:
        """Note the next event on the way back."""
        if self.is_time_passed is None:
            charged_to = getattr(fact, "state", MeterState()).charged_to
            self.is_time_passed = self.beyond is None or charged_to is None or not self._may_reach(charged_to)
        # An interval may lie in two occupancies, and is two debits then.
        self.is_whole |= self.beyond is None and getattr(fact, "state", MeterState()).occupancy > 0
        if isinstance(fact, UsageCorrected):
            if not fact.state.occupancy:
                self._may_begin(fact.debit_version, {0: fact.before})
            self._reaches(fact.debit_version)
        elif isinstance(fact, OccupancyCorrected):
            self._reaches(fact.debit_version)
        elif isinstance(fact, UsageDebited):
            self._pass_debit(version, fact)
        elif isinstance(fact, TimeChargeDebited | BillingPeriodClosed):
            self._pass_time(version, fact)

    def _pass_debit(self, version: int, fact: UsageDebited) -> None:
        self._may_begin(version, {**kept(fact.state), fact.occupancy: fact.before})
        if self.beyond is not None and fact.ended_at <= self.beyond and fact.reading != self.last:
            # A register's debits ascend in time: what came before this one does not reach beyond either.
            self.is_passed = True
        if fact.reading in self.wanted or (self.beyond is not None and not self.is_passed):
            self.wanted.discard(fact.reading)
            self.found, self.last = version, fact.reading

    def _pass_time(self, version: int, fact: TimeChargeDebited | BillingPeriodClosed) -> None:
        self._may_begin(version, {**kept(fact.state), fact.occupancy: fact.before})
        if self.is_time_passed is False and isinstance(fact, TimeChargeDebited):
            # Dates ascend in a stream: what came before this one does not reach beyond either.
            self.is_time_passed = not self._may_reach(fact.last_date)
        if self.is_time_passed is False:
            self.found = version

    def _may_reach(self, day: date) -> bool:
        """Tell whether a local date may end beyond the instant, in whatever zone."""
        return self.beyond is not None and day >= (self.beyond - timedelta(days=1)).date()

    def _reaches(self, version: int) -> None:
        self.reach = version if self.reach is None else min(self.reach, version)

    def _may_begin(self, version: int, before: Mapping[int, Counters]) -> None:
        if self.reach is None or version <= self.reach:
            self.starts.setdefault(version, before)

    def _start(self) -> int | None:
        """Return the latest debit at which a history may begin that holds all readings; None where none is known."""
        is_short = self.beyond is not None and not (self.is_passed and self.is_time_passed)
        if self.is_whole or self.wanted or self.found is None or is_short:
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
        return BilledHistory(before=self.starts.get(start, {}), first_version=start, beyond=self.beyond)
