"""What was booked on some accounts since a position, found by their streams instead of among all that happened.

A meter's events post only to accounts that occupy its supply point or did, the landlord's vacancies included: so of
meter streams those few are read, from their ends back. Everything else that names an account is found among what is
no meter's. However far back the position is, and however fast others write, that takes no longer.
"""

from collections.abc import Collection
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.store.log import Logged, read_log_naming
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

# A landlord may have thousands; beyond these it is quicker to look through all that happened.
_MOST_STREAMS = 200

# Indexes serve these: their expressions and their conditions must stand here word for word.
_OCCUPIED_BY = """
SELECT ledger.fact(state) ->> 'supply' AS supply FROM ledger.events
WHERE topic = 'supply.occupied/1' AND ledger.fact(state) ->> 'account' = ANY(%(accounts)s)
UNION SELECT ledger.fact(state) ->> 'supply' FROM ledger.events
WHERE topic = 'supply.vacated/1' AND ledger.fact(state) ->> 'landlord' = ANY(%(accounts)s)
ORDER BY supply
"""
_NOT_OF_METERS = """
SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
WHERE notification_id > %(after)s AND notification_id <= %(upto)s AND topic NOT LIKE 'meter.%%'
    AND EXISTS (SELECT FROM unnest(%(codes)s::bytea[]) AS named (code) WHERE position(code in state) > 0)
"""
_OF_METERS = """
WITH RECURSIVE back AS (
    SELECT newest.* FROM unnest(%(streams)s::uuid[]) AS s (id) CROSS JOIN LATERAL (
        SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
        WHERE originator_id = s.id ORDER BY originator_version DESC LIMIT 1
    ) AS newest
    WHERE newest.notification_id > %(after)s
    UNION ALL
    SELECT before.* FROM back CROSS JOIN LATERAL (
        SELECT notification_id, originator_id, originator_version, topic, state FROM ledger.events
        WHERE originator_id = back.originator_id AND originator_version = back.originator_version - 1 LIMIT 1
    ) AS before
    WHERE before.notification_id > %(after)s
)
SELECT notification_id, originator_id, originator_version, topic, state FROM back
WHERE notification_id <= %(upto)s
"""


def occupied_by(connection: Connection[Any], accounts: Collection[str]) -> list[str]:
    """Return the supply points that accounts pay for or did, vacant ones of a landlord's included, by code."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_OCCUPIED_BY, {"accounts": sorted(accounts)}, prepare=True)
        return [row[0] for row in cursor.fetchall()]


def read_log_of(
    connection: Connection[Any], *, accounts: Collection[str], after: int, upto: int | None = None
) -> list[Logged]:
    """Return all events after a position that post to one of these accounts, in order, and others that name them."""
    streams = [meter_stream(supply) for supply in occupied_by(connection, accounts)]
    if len(streams) > _MOST_STREAMS:
        return read_log_naming(connection, codes=accounts, after=after, upto=upto)
    span: dict[str, object] = {"after": after, "upto": 2**62 if upto is None else upto}
    codes = [msgspec.json.encode(account) for account in sorted(accounts)]
    with connection.cursor(row_factory=tuple_row, binary=True) as cursor:
        rows = cursor.execute(_NOT_OF_METERS, span | {"codes": codes}, prepare=True).fetchall()
        rows += cursor.execute(_OF_METERS, span | {"streams": streams}, prepare=True).fetchall()
    return [Logged(row[0], row[1], row[2], fact_of(row[3], row[4])) for row in sorted(rows, key=lambda row: row[0])]
