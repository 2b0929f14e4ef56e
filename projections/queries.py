"""What finance, the console and the demo ask the read models; money is Decimal in currency units."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row, scalar_row, tuple_row

from ledger.store.log import head_of
from projections.errors import ProjectionsError
from projections.journal import BLOCK_POSITIONS


class BeyondTheHead(ProjectionsError):
    """The ledger has no such position yet."""


@dataclass(frozen=True, slots=True)
class Balance:
    """An account: what it has to its credit, what made it so, and the energy that it was billed."""

    account: str
    site: str
    currency: str
    balance: Decimal
    debited: Decimal
    credited: Decimal
    usage_milliwh: Decimal
    debits: int
    top_ups: int


@dataclass(frozen=True, slots=True)
class TrialRow:
    """A code of the chart with the sum of its postings; debits are positive."""

    code: str
    amount: Decimal
    postings: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every code's sum at a position, and the sum of those: zero, or the ledger is broken (design I1)."""

    position: int
    total: Decimal
    rows: tuple[TrialRow, ...]


@dataclass(frozen=True, slots=True)
class RelayState:
    """A supply with its relay; `order_outcome` is empty while an order is under way, None where there was none."""

    supply: str
    site: str
    concentrator: str
    meter: str
    account: str | None
    desired: str
    actual: str
    locks: list[str]
    warned: bool
    order_sequence: int
    order_outcome: str | None
    disconnections: int
    reconnections: int


@dataclass(frozen=True, slots=True)
class Debit:
    """A debit as it was booked: whose, for what, how much."""

    position: int
    recorded_at: datetime
    supply: str
    account: str
    usage_milliwh: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Figures:
    """The whole in numbers, as the read models have it; `held_milliwh` is what open holds claim beyond the bills."""

    debits: int
    top_ups: int
    usage_milliwh: Decimal
    disconnections_confirmed: int
    reconnections_confirmed: int
    held_readings: int
    held_milliwh: Decimal


_BALANCES = """
SELECT account, site, currency, balance, debited, credited, usage_milliwh, debits, top_ups
FROM projections.balances ORDER BY account
"""
# The position in the same statement, so that it is that of these very rows.
_TRIAL_BALANCE = """
SELECT t.position, b.code, b.amount, b.postings::bigint
FROM (SELECT coalesce(max(position), 0) AS position FROM projections.tracking WHERE name = 'journal') AS t
LEFT JOIN projections.trial_balance AS b ON true
ORDER BY b.code
"""
# Whole blocks as they are projected, and from there the events' own postings: a thousandth of a long ledger is read.
_TRIAL_BALANCE_AT = """
WITH whole AS (
    SELECT least(%(position)s, coalesce(max(position), 0)) / %(block)s AS blocks
    FROM projections.tracking WHERE name = 'journal'
)
SELECT code, sum(amount), sum(postings)::bigint FROM (
    SELECT code, amount, postings FROM projections.journal_blocks WHERE block < (SELECT blocks FROM whole)
    UNION ALL
    SELECT code, amount, 1 FROM projections.journal
    WHERE position > (SELECT blocks * %(block)s FROM whole) AND position <= %(position)s
) AS parts GROUP BY code ORDER BY code
"""
_TRIAL_BALANCE_OF_DAY = """
SELECT t.position, b.code, b.amount, b.postings::bigint
FROM (SELECT coalesce(max(position), 0) AS position FROM projections.tracking WHERE name = 'journal') AS t
LEFT JOIN (SELECT code, sum(amount) AS amount, sum(postings) AS postings FROM projections.journal_daily
    WHERE day <= %s GROUP BY code) AS b ON true
ORDER BY b.code
"""
_RELAY_STATES = """
SELECT s.supply, s.site, s.concentrator, s.meter,
    (SELECT o.account FROM projections.occupancies AS o
     WHERE o.supply = s.supply AND o.occupied_from <= %s ORDER BY o.position DESC LIMIT 1) AS account,
    coalesce(r.desired, 'closed') AS desired, coalesce(r.actual, 'unknown') AS actual,
    coalesce(r.locks, '{}') AS locks, coalesce(r.warned, false) AS warned,
    coalesce(r.order_sequence, 0) AS order_sequence,
    CASE WHEN r.order_sequence > 0 THEN r.order_outcome END AS order_outcome,
    coalesce(r.disconnections, 0) AS disconnections, coalesce(r.reconnections, 0) AS reconnections
FROM projections.supplies AS s LEFT JOIN projections.relay AS r ON r.supply = s.supply
ORDER BY s.supply
"""
_LATEST_DEBITS = """
SELECT e.notification_id AS position, (f.fact ->> 'recorded_at')::timestamptz AS recorded_at,
    f.fact ->> 'supply' AS supply, f.fact ->> 'account' AS account,
    (f.fact ->> 'usage_milliwh')::bigint AS usage_milliwh,
    ((f.fact ->> 'amount_micros')::numeric * 0.000001)::numeric(24, 6) AS amount
FROM (SELECT notification_id, state FROM ledger.events WHERE topic = 'meter.usage-debited/1'
      ORDER BY notification_id DESC LIMIT %s) AS e
CROSS JOIN LATERAL (SELECT convert_from(e.state, 'UTF8')::jsonb AS fact) AS f
ORDER BY e.notification_id DESC
"""
_FIGURES = """
SELECT b.debits, b.top_ups, b.usage_milliwh, r.disconnections AS disconnections_confirmed,
    r.reconnections AS reconnections_confirmed, h.held_readings, h.held_milliwh
FROM (SELECT coalesce(sum(debits), 0)::bigint AS debits, coalesce(sum(top_ups), 0)::bigint AS top_ups,
        coalesce(sum(usage_milliwh), 0) AS usage_milliwh FROM projections.balances) AS b,
    (SELECT coalesce(sum(disconnections), 0)::bigint AS disconnections,
        coalesce(sum(reconnections), 0)::bigint AS reconnections FROM projections.relay) AS r,
    (SELECT count(*) AS held_readings, coalesce(sum(claimed_milliwh) FILTER (WHERE is_open), 0) AS held_milliwh
     FROM projections.held_readings) AS h
"""


def balances(connection: Connection[Any]) -> list[Balance]:
    """Return every account's balance, by account."""
    with connection.cursor(row_factory=class_row(Balance)) as cursor:
        return cursor.execute(_BALANCES).fetchall()


def currencies(connection: Connection[Any]) -> tuple[str, ...]:
    """Return the currencies of all accounts; amounts of the books are in these, and in one as a rule."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        cursor.execute("SELECT DISTINCT currency FROM projections.balances WHERE currency <> '' ORDER BY currency")
        return tuple(cursor.fetchall())


def trial_balance(connection: Connection[Any]) -> TrialBalance:
    """Return the trial balance as the journal is projected, and the position that it is projected to."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_TRIAL_BALANCE).fetchall()
    position = found[0][0]
    return _balanced(position, [TrialRow(*row[1:]) for row in found if row[1] is not None])


def trial_balance_at(connection: Connection[Any], *, position: int) -> TrialBalance:
    """Return the trial balance as it was at a ledger position, however far the journal is projected.

    Raises BeyondTheHead for a position that the ledger has not reached: it would be another one tomorrow.
    """
    head, _ = head_of(connection)
    if position > head:
        raise BeyondTheHead(f"position {position} is beyond the ledger's head, {head}; ask for one up to that")
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_TRIAL_BALANCE_AT, {"position": position, "block": BLOCK_POSITIONS}).fetchall()
    return _balanced(position, [TrialRow(*row) for row in found])


def trial_balance_of_day(connection: Connection[Any], *, day: date) -> TrialBalance:
    """Return the trial balance at the end of a day (UTC, by recording) and the position that it is projected to."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_TRIAL_BALANCE_OF_DAY, (day,)).fetchall()
    position = found[0][0]
    return _balanced(position, [TrialRow(*row[1:]) for row in found if row[1] is not None])


def _balanced(position: int, rows: list[TrialRow]) -> TrialBalance:
    return TrialBalance(position, sum((row.amount for row in rows), Decimal(0)), tuple(rows))


def relay_states(connection: Connection[Any], *, now: datetime) -> list[RelayState]:
    """Return every supply with its relay and the account that occupies it now."""
    with connection.cursor(row_factory=class_row(RelayState)) as cursor:
        return cursor.execute(_RELAY_STATES, (now,)).fetchall()


def lag_events(connection: Connection[Any]) -> int:
    """Return how many events the read model that is furthest behind has not seen; all of them where none began."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        row = cursor.execute(
            "SELECT head - coalesce((SELECT min(position) FROM projections.tracking), 0) FROM ledger.gate"
        ).fetchone()
    if row is None:
        raise RuntimeError("ledger.gate has lost its row; restore the database from its backup")
    return int(row)


def latest_debits(connection: Connection[Any], *, limit: int = 20) -> list[Debit]:
    """Return the newest debits, newest first."""
    with connection.cursor(row_factory=class_row(Debit)) as cursor:
        return cursor.execute(_LATEST_DEBITS, (limit,)).fetchall()


def figures(connection: Connection[Any]) -> Figures:
    """Return the whole in numbers."""
    with connection.cursor(row_factory=class_row(Figures)) as cursor:
        row = cursor.execute(_FIGURES).fetchone()
    if row is None:
        raise AssertionError("a query of sums gives one row")
    return row
