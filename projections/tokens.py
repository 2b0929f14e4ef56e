"""A supply point's tokens, as its meter stream has them; no digits, which are nowhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.vending import EnergyVended, TokenIssued
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

_TOKENS = """
SELECT notification_id, topic, state FROM ledger.events
WHERE originator_id = %s AND topic = ANY(%s) AND originator_version > 0 AND notification_id > %s
ORDER BY originator_version LIMIT %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """A token that was issued: energies in milliwatt-hours, amounts in micro-units."""

    position: int
    at: datetime
    kind: str
    count: int
    units: int
    energy_milliwh: int
    amount_micros: int
    account: str


def tokens_of(
    connection: Connection[Any], supply: str, *, after: int = 0, limit: int | None = None
) -> list[TokenRow]:
    """Return a supply point's tokens in the order in which they were issued, those after a position."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(
            _TOKENS, (meter_stream(supply), [EnergyVended.topic, TokenIssued.topic], after, limit)
        ).fetchall()
    return [_row(position, fact_of(topic, bytes(state))) for position, topic, state in rows]


def _row(position: int, fact: object) -> TokenRow:
    if isinstance(fact, EnergyVended):
        return TokenRow(
            position=position,
            at=fact.recorded_at,
            kind="add",
            count=fact.count,
            units=fact.units,
            energy_milliwh=fact.usage_milliwh,
            amount_micros=fact.amount_micros,
            account=fact.account,
        )
    if isinstance(fact, TokenIssued):
        return TokenRow(
            position=position,
            at=fact.recorded_at,
            kind=fact.kind,
            count=fact.count,
            units=fact.units,
            energy_milliwh=0,
            amount_micros=0,
            account="",
        )
    raise AssertionError(f"{fact} is no token")
