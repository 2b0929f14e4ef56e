"""Supplies: every supply point with its concentrator and meter, and who pays for it from when."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain.supply import MeterInstalled, SupplyOccupied, SupplyRegistered
from ledger.domain.supply_life import ConcentratorChanged, MeterRemoved, SupplyCommissioned, SupplyVacated
from ledger.store.log import Logged
from projections.arrays import columns
from projections.model import ReadModel, Table

_REGISTER = SQL("""
INSERT INTO {schema}.supplies (supply, site, concentrator, building, room, meter, measures, position)
SELECT supply, site, concentrator, building, room, '', '', position
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[])
    AS n (supply, site, concentrator, building, room, position)
""")
_INSTALL = SQL("""
UPDATE {schema}.supplies AS s
SET meter = n.meter, measures = n.measures, commissioned = false, position = n.position
FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[]) AS n (supply, meter, measures, position)
WHERE s.supply = n.supply
""")
_MOVE = SQL("""
UPDATE {schema}.supplies AS s SET concentrator = n.concentrator, position = greatest(s.position, n.position)
FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (supply, concentrator, position)
WHERE s.supply = n.supply
""")
_COMMISSION = SQL("""
UPDATE {schema}.supplies AS s SET commissioned = n.passed, position = greatest(s.position, n.position)
FROM unnest(%s::text[], %s::boolean[], %s::bigint[]) AS n (supply, passed, position)
WHERE s.supply = n.supply
""")
_OCCUPY = SQL("""
INSERT INTO {schema}.occupancies (supply, position, account, occupied_from)
SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::timestamptz[])
""")


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the supply points; registrations first, as whatever else follows one."""
    registered = [(e.fact, e.position) for e in events if isinstance(e.fact, SupplyRegistered)]
    # The last of a supply point in the batch counts.
    metered = {
        e.fact.supply: (e.fact, e.position) for e in events if isinstance(e.fact, MeterInstalled | MeterRemoved)
    }
    commissioned = {e.fact.supply: (e.fact, e.position) for e in events if isinstance(e.fact, SupplyCommissioned)}
    moved = {e.fact.supply: (e.fact, e.position) for e in events if isinstance(e.fact, ConcentratorChanged)}
    occupied = [(e.fact, e.position) for e in events if isinstance(e.fact, SupplyOccupied | SupplyVacated)]
    names = {"schema": Identifier(schema)}
    if registered:
        rows = [(f.supply, f.site, f.concentrator, f.building, f.room, p) for f, p in registered]
        cursor.execute(_REGISTER.format(**names), columns(rows))
    if metered:
        meters = [
            (f.supply, f.meter, f.measures, p) if isinstance(f, MeterInstalled) else (f.supply, "", "", p)
            for f, p in metered.values()
        ]
        cursor.execute(_INSTALL.format(**names), columns(meters))
    # What was commissioned before a meter was changed says nothing of the new one.
    passed = [(f.supply, f.passed, p) for f, p in commissioned.values() if p > metered.get(f.supply, (None, 0))[1]]
    if passed:
        cursor.execute(_COMMISSION.format(**names), columns(passed))
    if moved:
        cursor.execute(_MOVE.format(**names), columns([(f.supply, f.concentrator, p) for f, p in moved.values()]))
    if occupied:
        occupancies = [
            (f.supply, p, f.account, f.occupied_from)
            if isinstance(f, SupplyOccupied)
            else (f.supply, p, f.landlord, f.vacated_at)
            for f, p in occupied
        ]
        cursor.execute(_OCCUPY.format(**names), columns(occupancies))


MODEL = ReadModel(
    "supplies",
    (Table("supplies", ("supply",)), Table("occupancies", ("supply", "position"))),
    project,
    passes_over_usage=True,
)
