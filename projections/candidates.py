"""Candidates: the supplies on whose relays, by the projections, something may have to be decided.

A hint only, and a wide one: the decision itself is taken on the ledger's head. A supply that was looked at, and has
not moved since, is looked at again only after a while, for the sake of what time alone brings about.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row, tuple_row

from ledger.domain.credit.policy import CreditPolicySet
from ledger.domain.event import Fact
from ledger.domain.site import SiteSettingsChanged
from ledger.domain.timetable import TimetableSet, off_time
from ledger.store.mapper import fact_of
from ledger.values.identity import site_stream

# How long at most before time is noticed: a lead over, a pause over, hours in which nobody is cut.
RECHECK = timedelta(seconds=1)
# The same where nothing but the end of what holds a supply off is waited for, or a timetable has it off at all.
SETTLED_RECHECK = timedelta(seconds=5)

# Below the highest line that any policy draws, or with a relay that is not simply closed and forgotten; and where
# something moved since: an account's row, a relay's, a site's. Occupants of before come along, and are passed over.
_CANDIDATES = """
WITH low AS (
    SELECT o.supply, greatest(b.position, c.position) AS position, false AS is_settled
    FROM projections.balances AS b
    LEFT JOIN projections.account_conditions AS c ON c.account = b.account
    JOIN projections.occupancies AS o ON o.account = b.account
    WHERE b.balance <= %(line)s * 0.000001
    UNION ALL
    SELECT r.supply, greatest(r.position, b.position, c.position),
        r.desired = 'open' AND r.actual = 'open' AND r.order_outcome = 'confirmed'
    FROM projections.relay AS r
    LEFT JOIN projections.occupancies AS o ON o.supply = r.supply
    LEFT JOIN projections.balances AS b ON b.account = o.account
    LEFT JOIN projections.account_conditions AS c ON c.account = o.account
    WHERE r.warned OR r.desired <> 'closed' OR cardinality(r.locks) > 0 OR r.order_outcome NOT IN ('confirmed', '')
        OR r.order_sequence > 0 AND r.order_outcome = ''
    UNION ALL
    SELECT s.supply, 0, true FROM projections.supplies AS s WHERE s.site = ANY(%(sites_off)s)
)
SELECT l.supply, greatest(max(l.position), max(s.position)), bool_and(l.is_settled)
FROM low AS l JOIN projections.supplies AS s ON s.supply = l.supply
WHERE s.meter <> '' AND l.supply > %(after)s
GROUP BY l.supply ORDER BY l.supply
"""


@dataclass(slots=True)
class Candidates:
    """Finds what to look at; remembers what was looked at, by its rows' positions and when."""

    line_micros: int = 0
    site_events: int = -1
    seen: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    put_off: set[str] = field(default_factory=set)
    timetables: dict[str, list[TimetableSet]] = field(default_factory=dict)

    def next_page(self, connection: Connection[Any], *, now: datetime, after: str, limit: int) -> list[str]:
        """Return up to `limit` supplies that may need a decision, in order, from behind the supply `after`."""
        self._read_lines(connection)
        found: list[str] = []
        with connection.cursor(row_factory=tuple_row) as cursor:
            sites_off = [site for site, tables in self.timetables.items() if _has_anybody_off(tables, now)]
            wanted = {"line": self.line_micros, "after": after, "sites_off": sites_off}
            for supply, position, is_settled in cursor.execute(_CANDIDATES, wanted):
                before, at = self.seen.get(supply, (-1, now))
                recheck = SETTLED_RECHECK if is_settled and supply not in self.put_off else RECHECK
                if position == before and at <= now < at + recheck:
                    continue
                self.seen[supply] = (position, now)
                self.put_off.discard(supply)
                found.append(supply)
                if len(found) == limit:
                    break
        return found

    def expect(self, supplies: Iterable[str]) -> None:
        """Know that an order to these supplies only waits for its turn: the next second may have room for it."""
        self.put_off.update(supplies)

    def forget(self) -> None:
        """Look at everything again."""
        self.seen.clear()

    def _read_lines(self, connection: Connection[Any]) -> None:
        """Find the highest balance at which any policy that was ever set has anything to say."""
        with connection.cursor(row_factory=scalar_row) as cursor:
            sites = cursor.execute("SELECT DISTINCT site FROM projections.sites").fetchall()
            streams = [site_stream(site) for site in sites]
            count = cursor.execute(
                "SELECT count(*) FROM ledger.events WHERE originator_id = ANY(%s)", (streams,)
            ).fetchone()
        if count == self.site_events:
            return
        self.site_events = count or 0
        # What a site says anew may concern every supply there.
        self.seen.clear()
        with connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute("SELECT topic, state FROM ledger.events WHERE originator_id = ANY(%s)", (streams,))
            facts = [fact_of(topic, bytes(state)) for topic, state in cursor]
        self.line_micros = max((_line(fact) for fact in facts), default=0)
        self.timetables = {}
        for fact in facts:
            if isinstance(fact, TimetableSet):
                self.timetables.setdefault(fact.site, []).append(fact)


def _has_anybody_off(tables: Iterable[TimetableSet], now: datetime) -> bool:
    """Tell whether by any of a site's timetables somebody may be off now."""
    return any(off_time(row.timetable, now) is not None for row in tables if row.effective_from <= now)


def _line(fact: Fact) -> int:
    """Return the highest balance at which a site's fact has anything to say, in micro-units."""
    if isinstance(fact, SiteSettingsChanged):
        return fact.warning_balance_micros
    if isinstance(fact, CreditPolicySet) and fact.policy is not None:
        policy = fact.policy
        offered = 0 if policy.emergency is None else policy.emergency.offered_below_micros
        return max(0, policy.cut_at_micros, offered, *policy.warnings_micros)
    return 0
