"""Supplies that no decision is ever taken on, counted by what they lack (design I9)."""

from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

# A vacant flat is as it should be; a metered and occupied one without settings is neither warned nor cut.
NO_SETTINGS = "no-settings"
REASONS = ("no-meter", "no-occupant", NO_SETTINGS)

_UNDECIDED = """
SELECT u.reason, count(*) FROM (
    SELECT CASE
        WHEN s.meter = '' THEN 'no-meter'
        WHEN NOT EXISTS (
            SELECT FROM projections.occupancies AS o WHERE o.supply = s.supply AND o.occupied_from <= %(now)s
        ) THEN 'no-occupant'
        WHEN NOT EXISTS (
            SELECT FROM projections.sites AS x WHERE x.site = s.site AND x.effective_from <= %(now)s
        ) THEN 'no-settings'
    END AS reason
    FROM projections.supplies AS s
) AS u
WHERE u.reason IS NOT NULL GROUP BY u.reason
"""


def undecided(connection: Connection[Any], *, now: datetime) -> dict[str, int]:
    """Return how many supplies are left undecided for each reason, 0 where there is none."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found: dict[str, int] = dict(cursor.execute(_UNDECIDED, {"now": now}).fetchall())
    return {reason: found.get(reason, 0) for reason in REASONS}
