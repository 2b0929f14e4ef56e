"""What meters tell of their own credit, kept whenever it changes: for comparison with the ledger, never money."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow, class_row

from ledger import wire

# Whatever a message holds must fit the table's index: what cannot be kept would stop its partition.
_NAME_MAX, _VALUE_MAX = 64, 16_384

_KEEP = """
INSERT INTO ledger.meter_credit (meter, name, told_at, value)
SELECT told.meter, told.name, told.told_at, told.value
FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::text[]) AS told (meter, name, told_at, value)
LEFT JOIN LATERAL (
    SELECT value FROM ledger.meter_credit AS kept
    WHERE kept.meter = told.meter AND kept.name = told.name AND kept.told_at < told.told_at
    ORDER BY kept.told_at DESC LIMIT 1
) AS before ON true
WHERE before.value IS DISTINCT FROM told.value
ON CONFLICT DO NOTHING
"""
_TOLD = """
SELECT meter, name, min(told_at) AS first_at, (array_agg(value ORDER BY told_at))[1] AS first_value,
    max(told_at) AS changed_at, (array_agg(value ORDER BY told_at DESC))[1] AS value, count(*) - 1 AS changes
FROM ledger.meter_credit WHERE %(meter)s::text IS NULL OR meter = %(meter)s
GROUP BY meter, name ORDER BY meter, name
"""
# What was told since, and is not the first of its kind: a look at the index says that, whatever else is kept.
_RECHARGED = """
SELECT meter, name, max(told_at) AS changed_at FROM ledger.meter_credit AS kept
WHERE told_at > %(since)s AND (name = 'purchases' OR starts_with(name, 'recharge')) AND EXISTS (
    SELECT FROM ledger.meter_credit AS before
    WHERE before.meter = kept.meter AND before.name = kept.name AND before.told_at < kept.told_at
)
GROUP BY meter, name ORDER BY meter, name
"""


@dataclass(frozen=True, slots=True)
class ToldCredit:
    """One quantity of one meter: what it told first, what it tells now and since when, as text."""

    meter: str
    name: str
    first_at: datetime
    first_value: str
    changed_at: datetime
    value: str
    changes: int

    @property
    def is_recharge(self) -> bool:
        """Whether credit was loaded into the meter itself since it was first read, past every account."""
        return self.changes > 0 and (self.name == "purchases" or self.name.startswith("recharge"))


@dataclass(frozen=True, slots=True)
class Recharge:
    """A quantity of a meter's that tells of credit loaded into it past every account, and when it changed last."""

    meter: str
    name: str
    changed_at: datetime


def keep_meter_credit(cursor: Cursor[TupleRow], readings: Iterable[wire.RegisterReading]) -> None:
    """Keep what these readings tell of their meters' own credit, as far as it is news."""
    rows = [
        (reading.meter, name[:_NAME_MAX], reading.read_at, value[:_VALUE_MAX])
        for reading in readings
        for name, value in (reading.meter_credit or {}).items()
    ]
    if rows:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def told_credit(connection: Connection[Any], *, meter: str | None = None) -> list[ToldCredit]:
    """Return what every meter told of its own credit, or one, by meter and name."""
    with connection.cursor(row_factory=class_row(ToldCredit)) as cursor:
        return cursor.execute(_TOLD, {"meter": meter}).fetchall()


def recharged(connection: Connection[Any], *, since: datetime) -> list[Recharge]:
    """Return the quantities that tell of credit loaded into a meter itself after an instant, by meter and name."""
    with connection.cursor(row_factory=class_row(Recharge)) as cursor:
        return cursor.execute(_RECHARGED, {"since": since}).fetchall()
