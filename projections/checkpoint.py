"""Where the ledger reads balances from: the sums that the journal's daily aggregates have, at their position."""

from collections.abc import Collection
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.store.standing import Standing
from projections.project import tracked

_SUMS = """
SELECT account, code, (sum(amount) * 1000000)::bigint FROM projections.journal_daily
WHERE account = ANY(%s) AND account <> '' GROUP BY account, code
"""


def checkpoint(connection: Connection[Any], accounts: Collection[str]) -> Standing:
    """Return what stands on these accounts at the position that the journal is projected to.

    A row for each day and code is added up, so an account with a million debits takes no longer than another.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        # One snapshot: the sums and their position belong together.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        position = tracked(connection).get("journal", 0)
        cursor.execute(_SUMS, (sorted(accounts),))
        return Standing(position, {(row[0], row[1]): row[2] for row in cursor})
