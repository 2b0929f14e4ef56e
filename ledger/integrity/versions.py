"""Verifying every stream's versions: 1, 2, 3 … in the order of the ledger. PostgreSQL sorts, on its disk."""

import psycopg
from psycopg.rows import tuple_row

from ledger.integrity.findings import Finding

# The first event that does not follow its stream's event before it, and how many there are. A million streams or a
# billion events take PostgreSQL's working memory and its disk, and nothing here.
_BREAKS = """
SELECT position, stream, version, before, count(*) OVER () FROM (
    SELECT notification_id AS position, originator_id AS stream, originator_version AS version,
        lag(originator_version, 1, 0::bigint) OVER (PARTITION BY originator_id ORDER BY notification_id) AS before
    FROM ledger.events WHERE notification_id <= %(last)s
) AS events
WHERE version <> before + 1 AND position >= %(first)s
ORDER BY position LIMIT 1
"""


def check_versions(url: str, *, first: int, last: int) -> tuple[Finding | None, int]:
    """Return the first event out of its stream's sequence between two positions, and how many are."""
    with psycopg.connect(url, autocommit=True, row_factory=tuple_row) as connection:
        connection.execute("SET work_mem = '64MB'")
        row = connection.execute(_BREAKS, {"first": first, "last": last}).fetchone()
    if row is None:
        return None, 0
    position, stream, version, before, count = row
    expected = f"version {before + 1} of stream {stream}"
    return Finding("versions", position, position, expected, f"version {version}"), count
