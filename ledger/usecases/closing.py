"""Closing accounting months: in order, once, complete or with leave; then the balances as they closed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger.domain import books as books_stream_of
from ledger.domain.accounting_month import checked_month, end_of, following, month_at, preceding
from ledger.domain.books import OPEN, AccountingZoneSet, BalancesClosed, Books, ClosedBalance, MonthClosed
from ledger.domain.event import FACTS, Event
from ledger.domain.expected import Missing, missing_readings
from ledger.domain.meter import MeterState
from ledger.store.application import Ledger
from ledger.store.applied import meters_seen
from ledger.store.billed_to import read_snapshot
from ledger.store.log import newest_of, read_log
from ledger.usecases.attempt import appended
from ledger.usecases.codes import checked_code
from ledger.values.errors import InvalidValue, Refused
from ledger.values.identity import books_stream, meter_stream

# What one event may hold, and how many supply points are looked up at once.
BALANCES_PER_PART = 1_000
_NAMED = 100
_PAGE_SUPPLIES = 5_000


class ReadingsMissing(Refused):
    """Expected readings do not reach the month's end."""

    def __init__(self, message: str, missing: Sequence[Missing]) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Closed:
    """A closed month: where its closing stands in the ledger, and what was missing then."""

    month: str
    position: int
    missing: Sequence[Missing]


def books_of(ledger: Ledger) -> Books:
    """Return the books as they stand."""
    return ledger.folded(books_stream(), books_stream_of.evolve, OPEN)[0]


def set_accounting_zone(ledger: Ledger, *, zone: str, now: datetime) -> int:
    """Set the time zone of accounting months, once, before any money moves; returns the position.

    Raises InvalidValue for a zone that does not exist, Refused where something is booked: its month is decided.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidValue(f"time zone {zone!r} is not known; give an IANA name such as Asia/Shanghai") from None

    def decide() -> Sequence[Event]:
        books, version = ledger.folded(books_stream(), books_stream_of.evolve, OPEN)
        if books.zone == zone:
            return []
        return [Event(books_stream(), version + 1, AccountingZoneSet(zone=zone, recorded_at=now))]

    return appended(ledger, decide, guard=_refuse_once_booked)


def _refuse_once_booked(cursor: Cursor[TupleRow]) -> None:
    moving = [topic for topic, cls in FACTS.items() if "postings" in cls.__struct_fields__]
    if cursor.execute("SELECT 1 FROM ledger.events WHERE topic = ANY(%s) LIMIT 1", (moving,)).fetchone():
        raise Refused("money is booked already, in months of the zone that holds; the books keep their zone")


def missing_of(ledger: Ledger, *, month: str, zone: str) -> list[Missing]:
    """Return the supply points whose readings do not reach a month's end, by code."""
    begins, ends = end_of(preceding(month), zone=zone), end_of(month, zone=zone)
    missing: list[Missing] = []
    with ledger.datastore.get_connection() as connection:
        supplies = read_snapshot(connection).supplies
        codes = iter(sorted(supplies))
        while page := list(islice(codes, _PAGE_SUPPLIES)):
            missing += missing_readings(
                {code: supplies[code] for code in page},
                states=_states(connection, page),
                seen=meters_seen(connection, page),
                begins=begins,
                ends=ends,
            )
    return missing


def _states(connection: Connection[Any], codes: Sequence[str]) -> dict[str, MeterState]:
    streams = {meter_stream(code): code for code in codes}
    newest = newest_of(connection, streams=list(streams))
    states = ((streams[stream], getattr(logged.fact, "state", None)) for stream, logged in newest.items())
    return {code: state for code, state in states if state is not None}


def close_month(ledger: Ledger, *, month: str, operator: str, now: datetime, allow_late: bool = False) -> Closed:
    """Close a month for good: what arrives for it from now on goes to the open month. Its balances come after.

    The first closing closes all months before it, too. Raises Refused for a month that is closed, not yet over or not
    the next, and while the balances of the last closing are not recorded; ReadingsMissing while readings are missing,
    unless `allow_late`.
    """
    month = checked_month(month)
    checked_code(operator, what="operator")
    missing: list[Missing] = []

    def decide() -> Sequence[Event]:
        books, version = ledger.folded(books_stream(), books_stream_of.evolve, OPEN)
        _check_next(books, month, now)
        if not books.closed_to:
            _check_not_before(_begun(ledger), month, books.zone)
        missing[:] = missing_of(ledger, month=month, zone=books.zone)
        if missing and not allow_late:
            raise ReadingsMissing(_complaint(month, missing), list(missing))
        fact = MonthClosed(
            month=month,
            zone=books.zone,
            operator=operator,
            missing_supplies=len(missing),
            missing=[one.supply for one in missing[:_NAMED]],
            recorded_at=now,
        )
        return [Event(books_stream(), version + 1, fact)]

    return Closed(month, appended(ledger, decide), missing)


def _check_next(books: Books, month: str, now: datetime) -> None:
    if books.closed_to and month <= books.closed_to:
        raise Refused(
            f"month {month} is closed (all are up to {books.closed_to}), and a closed month is never opened again;"
            " what is wrong in it is corrected in the open month"
        )
    if books.closed_to and month != following(books.closed_to):
        raise Refused(f"month {month} is not the next to close; close {following(books.closed_to)} first")
    if not books.is_balanced:
        raise Refused(
            f"the balances of {books.closed_to} are not all recorded;"
            f" run again: wattledger ledger close-month {books.closed_to}"
        )
    if now < (over := end_of(month, zone=books.zone)):
        raise Refused(f"month {month} is not over until {over.isoformat()}; close it then")


def _begun(ledger: Ledger) -> datetime | None:
    """Return when the ledger's first event was recorded, or the first occupant moved in where that was before."""
    with ledger.datastore.get_connection() as connection:
        instants = [logged.fact.recorded_at for logged in read_log(connection, after=0, limit=1)]
        for supply in read_snapshot(connection).supplies.values():
            instants += [row.occupied_from for row in supply.occupancies[:1]]
    return min(instants, default=None)


def _check_not_before(begun: datetime | None, month: str, zone: str) -> None:
    """Raise Refused for a month before anything was: every month after it would have to be closed, too."""
    if begun is None:
        raise Refused(f"month {month} cannot be closed: the ledger is empty")
    first = month_at(begun, zone=zone)
    if month < first:
        raise Refused(f"month {month} is before the ledger's first, {first}; close that or a later one")


def _complaint(month: str, missing: Sequence[Missing]) -> str:
    named = ", ".join(
        f"{one.supply} ({'no reading' if one.reached is None else f'to {one.reached.isoformat()}'})"
        for one in missing[:5]
    )
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return (
        f"month {month} cannot be closed: readings of {len(missing)} supply points do not reach its end:"
        f" {named}{more}; wait for them, or close with --allow-late:"
        " what comes later is then booked in the open month"
    )


def record_balances(ledger: Ledger, *, month: str, balances: Iterable[ClosedBalance], now: datetime) -> int:
    """Record the balances of the last closing in parts, going on where an earlier attempt ended; returns the parts.

    `balances` are all of them, ordered by account and code; nothing can change them, so that an attempt that was cut
    off and one that goes on see the same. Raises Refused where the month is not the last that was closed.
    """
    books = books_of(ledger)
    if books.closed_to != month:
        raise Refused(f"month {month} is not the last that was closed; {books.closed_to or 'none'} is")
    if books.is_balanced:
        return books.parts
    parts = list(_in_parts(balances))
    _check_sum(month, parts)

    def decide() -> Sequence[Event]:
        books, version = ledger.folded(books_stream(), books_stream_of.evolve, OPEN)
        if books.closed_to != month or books.is_balanced:
            return []
        part = books.parts_kept + 1
        fact = BalancesClosed(month=month, part=part, parts=len(parts), balances=parts[part - 1], recorded_at=now)
        return [Event(books_stream(), version + 1, fact)]

    while appended(ledger, decide):
        pass
    return len(parts)


def _in_parts(balances: Iterable[ClosedBalance]) -> Iterator[list[ClosedBalance]]:
    rows = iter(balances)
    first = list(islice(rows, BALANCES_PER_PART))
    yield first
    while part := list(islice(rows, BALANCES_PER_PART)):
        yield part


def _check_sum(month: str, parts: Sequence[Sequence[ClosedBalance]]) -> None:
    total = sum(row.amount_micros for part in parts for row in part)
    if total != 0:
        raise AssertionError(
            f"the balances of {month} sum to {total} micro-units, not to zero; run `wattledger audit`"
        )
