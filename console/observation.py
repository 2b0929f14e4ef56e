"""The state of the whole, read from the database as finance: the ledger's head, who lags behind it, what is held."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg
from psycopg.rows import TupleRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at the database; everything but `is_reachable` is empty when it cannot be reached."""

    is_reachable: bool
    reason: str = ""
    head: int = 0
    lag_events: Mapping[str, int] = field(default_factory=dict)
    trial_balance: Decimal = Decimal(0)
    dead_letters: int = 0
    stray_readings: int = 0
    unconfirmed_orders: int = 0
    # By provider, news and state: deliveries that wait, or are held for a person.
    deliveries: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    deliveries_overdue_s: float = 0.0
    sealed_to: int = 0
    seals: int = 0
    witnessed_seals: int = 0


_HEAD = "SELECT head FROM ledger.gate"
_LAG = "SELECT name, position FROM projections.tracking ORDER BY name"
_SEALS = """
    SELECT coalesce(max(number), 0), coalesce(max(last_position), 0), (SELECT number FROM ledger.witnessed)
    FROM ledger.seals
"""
_COUNTS = """
    SELECT (SELECT coalesce(sum(amount), 0) FROM projections.trial_balance),
           (SELECT count(*) FROM ledger.dead_letters),
           (SELECT count(*) FROM ledger.stray_readings),
           (SELECT count(*) FROM ledger.outbox_orders)
"""
_DELIVERIES = """
    SELECT provider, news, state, count(*) FROM payments.deliveries
    WHERE state = 'waiting' OR state = 'held' GROUP BY provider, news, state
"""
_OVERDUE = """
    SELECT greatest(extract(epoch FROM now() - min(not_before)), 0)::float8
    FROM payments.deliveries WHERE state = 'waiting'
"""


def observed(*, url: str, timeout_s: int = 2) -> Observation:
    """Look at the database once, on a connection of its own; never raises for a database that does not answer."""
    try:
        with psycopg.connect(
            url, connect_timeout=max(2, timeout_s), options=f"-c statement_timeout={timeout_s}s"
        ) as connection:
            return _read(connection)
    except psycopg.Error as error:
        return Observation(is_reachable=False, reason=str(error).strip())


def _read(connection: psycopg.Connection[TupleRow]) -> Observation:
    # One snapshot, so that no projection is ever ahead of the head.
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    (head,) = connection.execute(_HEAD).fetchone() or (0,)
    lag_events = {name: head - position for name, position in connection.execute(_LAG)}
    trial_balance, dead_letters, stray_readings, orders = connection.execute(_COUNTS).fetchone() or (0, 0, 0, 0)
    deliveries = {(row[0], row[1], row[2]): row[3] for row in connection.execute(_DELIVERIES)}
    (overdue_s,) = connection.execute(_OVERDUE).fetchone() or (None,)
    seals, sealed_to, witnessed_seals = connection.execute(_SEALS).fetchone() or (0, 0, 0)
    return Observation(
        is_reachable=True,
        head=head,
        lag_events=lag_events,
        trial_balance=Decimal(trial_balance),
        dead_letters=dead_letters,
        stray_readings=stray_readings,
        unconfirmed_orders=orders,
        deliveries=deliveries,
        deliveries_overdue_s=overdue_s or 0.0,
        sealed_to=sealed_to,
        seals=seals,
        witnessed_seals=witnessed_seals,
    )
