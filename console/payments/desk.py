"""What a person sees of deliveries, and does about those that are held."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row

from console.payments.deliveries import CHANNEL, State
from ledger.usecases.codes import checked_code
from ledger.usecases.money.payments import News
from ledger.values.errors import NotFound

HELD_DELIVERY = "held-delivery"

_SHOWN = """
SELECT id, provider, event, news, account, amount_micros, currency, state, received_at, changed_at, not_before,
    attempts, detail, position
FROM payments.deliveries
WHERE state = ANY(%(states)s) AND (%(provider)s = '' OR provider = %(provider)s)
ORDER BY id DESC LIMIT %(limit)s
"""
_RETRY = """
UPDATE payments.deliveries SET state = 'waiting', not_before = now(), attempts = 0, changed_at = now()
WHERE id = %s AND state IN ('held', 'waiting')
"""
_SETTLE = """
UPDATE payments.deliveries SET state = 'noted', detail = %s, changed_at = now() WHERE id = %s AND state = 'held'
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A delivery as a person is shown it."""

    id: int
    provider: str
    event: str
    news: News
    account: str
    amount_micros: int
    currency: str
    state: State
    received_at: datetime
    changed_at: datetime
    not_before: datetime
    attempts: int
    detail: str
    position: int


def shown(connection: Connection[Any], *, states: list[State], provider: str = "", limit: int) -> list[Shown]:
    """Return deliveries in some states, the newest first."""
    with connection.cursor(row_factory=class_row(Shown)) as cursor:
        cursor.execute(_SHOWN, {"states": list(states), "provider": provider, "limit": limit})
        return cursor.fetchall()


def retry(connection: Connection[Any], delivery: int) -> None:
    """Let a delivery be tried again at once; raises NotFound where it neither waits nor is held."""
    if connection.execute(_RETRY, (delivery,)).rowcount == 0:
        raise NotFound(f"no delivery {delivery} waits or is held; see `wattledger deliveries list`")
    connection.execute("SELECT pg_notify(%s, '')", (CHANNEL,))


def settle(connection: Connection[Any], delivery: int, *, operator: str, reason: str) -> None:
    """Say that a person has settled what is held; raises NotFound where it is not held."""
    checked_code(operator, what="operator")
    checked_code(reason, what="reason")
    if connection.execute(_SETTLE, (f"settled by {operator}: {reason}", delivery)).rowcount == 0:
        raise NotFound(f"no delivery {delivery} is held; see `wattledger deliveries list`")
