"""An account's whole history in the order of the ledger, read in pages so that memory never grows with it.

Balances are as of two times: when things took effect, and when they were recorded.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.event import Fact, Posting
from ledger.store.log import Logged, head_of
from ledger.store.mapper import fact_of
from ledger.values.errors import NotFound, Refused
from ledger.values.money import micros_from_decimal
from projections.books import MODEL, Booking, Entry, rules_at
from projections.closed import Closing, closing_of
from projections.model import LIVE
from projections.postings import postings_of
from projections.project import tracked
from projections.queries import BeyondTheHead

_PAGE = 1_000
_FOREVER = datetime.max.replace(tzinfo=UTC)

_ENTRIES = """
SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state,
    a.recorded_at, a.effective_at, a.month, a.effective_month, a.amount
FROM projections.account_entries AS a JOIN ledger.events AS e ON e.notification_id = a.position
WHERE a.account = %s AND a.position <= %s AND a.month > %s AND (a.recorded_at <= %s OR a.effective_at <= %s)
ORDER BY a.position
"""
_LOG = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %s AND notification_id <= %s ORDER BY notification_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which history: of an account, up to a position, as of an instant, or from a month's closing on."""

    account: str
    position: int
    as_of: datetime = _FOREVER
    closing: Closing | None = None

    @property
    def after_month(self) -> str:
        """The last month that is not told entry by entry, empty where all are."""
        return "" if self.closing is None else self.closing.month


@dataclass(frozen=True, slots=True)
class Step:
    """An event of the history with the balances after it, of what was recorded and of what was effective by then."""

    entry: Entry
    stream: UUID
    version: int
    fact: Fact
    state: bytes
    topic: str
    recorded_balance_micros: int
    effective_balance_micros: int

    @property
    def postings(self) -> list[Posting]:
        """The transaction of the event, of whatever accounts its lines are."""
        return postings_of(self.fact)


def asked(
    connection: Connection[Any],
    *,
    account: str,
    position: int | None = None,
    as_of: datetime | None = None,
    from_closing: str | None = None,
) -> Asked:
    """Return what to replay; raises BeyondTheHead, and NotFound for an unknown account or a month not closed."""
    head, _ = head_of(connection)
    if position is not None and position > head:
        raise BeyondTheHead(f"position {position} is beyond the ledger's head, {head}; ask for one up to that")
    closing = None if from_closing is None else closing_of(connection, account=account, month=from_closing)
    if position is not None and closing is not None and position < closing.position:
        raise Refused(f"{closing.month} was closed at position {closing.position}, after {position}; ask for later")
    return Asked(
        account=account,
        position=head if position is None else position,
        as_of=_FOREVER if as_of is None else as_of,
        closing=closing,
    )


def replay(connection: Connection[Any], wanted: Asked) -> Generator[Step, None, None]:
    """Yield an account's history in order; raises NotFound where nothing ever touched it.

    The connection must be in autocommit mode; one snapshot of the database holds from the first step to the last.
    """
    running = _Running(wanted)
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        indexed = min(tracked(connection).get(MODEL.name, 0), wanted.position)
        yield from _indexed(connection, wanted, running, upto=indexed)
        yield from _not_yet_indexed(connection, wanted, running, after=indexed)
        if not running.is_known and wanted.closing is None:
            _check_known(connection, wanted)


@dataclass(slots=True)
class _Running:
    """The balances after each step; an instant is as of what was by then, itself included."""

    wanted: Asked
    is_known: bool = False
    recorded_micros: int = 0
    effective_micros: int = 0

    def __post_init__(self) -> None:
        if self.wanted.closing is not None:
            self.recorded_micros = self.effective_micros = self.wanted.closing.balance_micros

    def step(self, entry: Entry, logged: Logged, topic: str, state: bytes) -> Step:
        """Take the next entry in."""
        self.is_known = True
        if entry.recorded_at <= self.wanted.as_of:
            self.recorded_micros += entry.amount_micros
        if entry.effective_at <= self.wanted.as_of:
            self.effective_micros += entry.amount_micros
        return Step(
            entry,
            logged.stream,
            logged.version,
            logged.fact,
            state,
            topic,
            self.recorded_micros,
            self.effective_micros,
        )


def _indexed(connection: Connection[Any], wanted: Asked, running: _Running, *, upto: int) -> Iterator[Step]:
    parameters = (wanted.account, upto, wanted.after_month, wanted.as_of, wanted.as_of)
    with connection.cursor(name="replay", row_factory=tuple_row) as cursor:
        cursor.itersize = _PAGE
        cursor.execute(_ENTRIES, parameters)
        for position, stream, version, topic, state, recorded_at, effective_at, month, effective, amount in cursor:
            entry = Entry(
                wanted.account,
                position,
                recorded_at,
                effective_at,
                month,
                effective,
                micros_from_decimal(amount),
            )
            state_bytes = bytes(state)
            logged = Logged(position, stream, version, fact_of(topic, state_bytes))
            yield running.step(entry, logged, topic, state_bytes)


def _not_yet_indexed(connection: Connection[Any], wanted: Asked, running: _Running, *, after: int) -> Iterator[Step]:
    """Go through what the projection has not seen, by the very rules it will use."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rules = rules_at(cursor, schema=LIVE, position=after)
    with connection.cursor(name="log", row_factory=tuple_row) as cursor:
        cursor.itersize = _PAGE
        for position, stream, version, topic, state in cursor.execute(_LOG, (after, wanted.position)):
            logged = Logged(position, stream, version, fact_of(topic, bytes(state)))
            booking = Booking(rules)
            booking.take(logged)
            rules = booking.rules
            for entry in booking.entries:
                if entry.account == wanted.account:
                    running.is_known = True
                    if _is_wanted(entry, wanted):
                        yield running.step(entry, logged, topic, bytes(state))


def _is_wanted(entry: Entry, wanted: Asked) -> bool:
    by_then = entry.recorded_at <= wanted.as_of or entry.effective_at <= wanted.as_of
    return by_then and entry.month > wanted.after_month


def _check_known(connection: Connection[Any], wanted: Asked) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM projections.account_entries WHERE account = %s LIMIT 1", (wanted.account,))
        if cursor.fetchone() is None:
            raise NotFound(
                f"no event up to position {wanted.position} touches account {wanted.account!r}; check the code"
            )
