"""Candidates: the supplies on whose relays, by the projections, something may have to be decided.

A hint only, and a wide one: the decision itself is taken on the ledger's head.
"""

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.domain.relay import CONSENT_LASTS, UNDONE
from projections.decide import FIRST_RETRY, LONGEST_RETRY

_CANDIDATES = """
SELECT s.supply
FROM projections.supplies AS s
CROSS JOIN LATERAL (
    SELECT o.account FROM projections.occupancies AS o
    WHERE o.supply = s.supply AND o.occupied_from <= %(now)s ORDER BY o.position DESC LIMIT 1
) AS o
CROSS JOIN LATERAL (
    SELECT x.warning_balance, x.reconnection FROM projections.sites AS x
    WHERE x.site = s.site AND x.effective_from <= %(now)s ORDER BY x.effective_from DESC LIMIT 1
) AS x
JOIN projections.balances AS b ON b.account = o.account
LEFT JOIN projections.relay AS r ON r.supply = s.supply
LEFT JOIN projections.account_conditions AS c ON c.account = o.account
WHERE s.supply > %(after)s AND s.meter <> '' AND (
    (b.balance + coalesce(c.disputed, 0) < x.warning_balance) <> coalesce(r.warned, false)
    OR s.measures = 'register' AND (
        CASE WHEN coalesce('credit' = ANY (r.locks), false) THEN b.balance + coalesce(c.disputed, 0) > 0
        ELSE b.balance + coalesce(c.disputed, 0) <= 0
            AND coalesce(c.disputes, 0) = 0 AND coalesce(c.notice_until <= %(now)s, true) END
        OR cardinality(r.locks) > 0 AND r.desired = 'closed'
        OR cardinality(r.locks) = 0 AND r.desired = 'open' AND (
            x.reconnection = 'automatic' OR r.consented_at > %(now)s - %(consent_lasts)s
        )
        OR (r.order_outcome = '' AND r.order_expires_at <= %(now)s
            OR r.order_outcome = ANY (%(undone)s) AND r.order_readback <> r.desired)
        AND r.order_issued_at + least(%(first)s * power(2, least(r.attempts - 1, 20)), %(longest)s) <= %(now)s
    )
)
ORDER BY s.supply LIMIT %(limit)s
"""


def candidates(connection: Connection[Any], *, now: datetime, after: str, limit: int) -> list[str]:
    """Return up to `limit` supplies that may need a decision, in order, from behind the supply `after`."""
    cursor = connection.execute(
        _CANDIDATES,
        {
            "now": now,
            "after": after,
            "limit": limit,
            "undone": sorted(UNDONE),
            "consent_lasts": CONSENT_LASTS,
            "first": FIRST_RETRY,
            "longest": LONGEST_RETRY,
        },
    )
    return [row[0] for row in cursor]
