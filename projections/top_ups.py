"""An account's top-ups, read from its own events: no read model keeps them a second time."""

from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.account import AccountCredited
from ledger.store.mapper import fact_of
from ledger.values.identity import account_stream

_TOP_UPS = """
SELECT originator_version, notification_id, state FROM ledger.events
WHERE originator_id = %(stream)s AND originator_version > %(after)s AND topic = %(topic)s
ORDER BY originator_version LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class TopUpEntry:
    """A top-up where it stands: its number in the account's stream, its position in the ledger."""

    number: int
    position: int
    fact: AccountCredited


def top_ups_of(connection: Connection[Any], *, account: str, after: int = 0, limit: int) -> list[TopUpEntry]:
    """Return an account's top-ups in order, after a place in its stream, those taken away again among them."""
    wanted = {"stream": account_stream(account), "after": after, "limit": limit, "topic": AccountCredited.topic}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_TOP_UPS, wanted).fetchall()
    return [_entry(*row) for row in rows]


def _entry(version: int, position: int, state: bytes) -> TopUpEntry:
    fact = fact_of(AccountCredited.topic, bytes(state))
    if not isinstance(fact, AccountCredited):
        raise AssertionError(f"{AccountCredited.topic} at position {position} is {fact.topic}")
    return TopUpEntry(version, position, fact)
