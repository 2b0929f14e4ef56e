"""Filling a ledger with debits of supply points that nobody reads, whose rows and indexes are there all the same."""

from typing import Any

from psycopg import Connection

from ledger.store.gate import gated

# As many as a large estate has: each of its streams' newest entries is another page of the index.
STREAMS = 1_000_000
_APPENDED_AT_ONCE = 50_000

_SAMPLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS samples AS
SELECT row_number() OVER (ORDER BY notification_id) - 1 AS number, topic, state FROM (
    SELECT notification_id, topic, state FROM ledger.events
    WHERE topic = 'meter.usage-debited/1' ORDER BY notification_id DESC LIMIT 200
) AS newest
"""
# Copied row by row in the server, compressed as they are: a tenth of the time of writing them anew. Streams' ids are
# as scattered as real ones.
_FILL = """
INSERT INTO ledger.events (originator_id, originator_version, topic, state, notification_id)
SELECT md5('filled ' || n %% %(streams)s)::uuid, n / %(streams)s + 1, s.topic, s.state, %(head)s + n - %(first)s + 1
FROM generate_series(%(first)s, %(last)s) AS n JOIN samples AS s ON s.number = n %% (SELECT count(*) FROM samples)
ORDER BY n
"""


def fill(connection: Connection[Any], *, events: int, already: int = 0) -> None:
    """Append so many debits like the ledger's newest ones, after `already` of them.

    The read models are told to have seen them: what they grow by is the subject of `projection`.
    """
    connection.execute(_SAMPLES)
    for first in range(already, already + events, _APPENDED_AT_ONCE):
        last = min(first + _APPENDED_AT_ONCE, already + events) - 1
        with gated(connection) as gate:
            span = {"streams": STREAMS, "head": gate.head, "first": first, "last": last}
            gate.cursor.execute(_FILL, span)
            gate.cursor.execute("UPDATE ledger.gate SET head = head + %s", (last - first + 1,))
    connection.execute("UPDATE projections.tracking SET position = (SELECT head FROM ledger.gate)")
