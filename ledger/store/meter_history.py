"""What was billed of a supply point before: read only where a reading contradicts it."""

from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.meter import UsageDebited
from ledger.store.mapper import fact_of


def billed_intervals(connection: Connection[Any], *, stream: UUID) -> dict[UUID, int]:
    """Return the readings that a meter stream has billed, with their energies in milliwatt-hours."""
    billed: dict[UUID, int] = {}
    with connection.transaction(), connection.cursor("meter_history", row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT topic, state FROM ledger.events WHERE originator_id = %s AND topic = %s",
            (stream, UsageDebited.topic),
        )
        for topic, state in cursor:
            fact = fact_of(topic, bytes(state))
            if isinstance(fact, UsageDebited):
                billed[fact.reading] = fact.usage_milliwh
    return billed
