"""Sites: how each reconnects and when it warns, by the time from which that holds."""

from collections.abc import Sequence
from typing import Any

from psycopg import Cursor
from psycopg.sql import SQL, Identifier

from ledger.domain.site import SiteSettingsChanged
from ledger.store.log import Logged
from projections.model import ReadModel, Table

_UPSERT = SQL("""
INSERT INTO {schema}.sites (site, effective_from, reconnection, warning_balance, requires_commissioning, position)
SELECT site, effective_from, reconnection, warning_micros * 0.000001, requires_commissioning, position
FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::numeric[], %s::boolean[], %s::bigint[])
    AS n (site, effective_from, reconnection, warning_micros, requires_commissioning, position)
ON CONFLICT (site, effective_from) DO UPDATE SET
    reconnection = excluded.reconnection,
    warning_balance = excluded.warning_balance,
    requires_commissioning = excluded.requires_commissioning,
    position = excluded.position
""")


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the sites' settings; settings from the same instant replace earlier ones."""
    newest = {
        (event.fact.site, event.fact.effective_from): (event.fact, event.position)
        for event in events
        if isinstance(event.fact, SiteSettingsChanged)
    }
    if not newest:
        return
    rows = list(newest.values())
    cursor.execute(
        _UPSERT.format(schema=Identifier(schema)),
        (
            [fact.site for fact, _ in rows],
            [fact.effective_from for fact, _ in rows],
            [fact.reconnection for fact, _ in rows],
            [fact.warning_balance_micros for fact, _ in rows],
            [fact.requires_commissioning for fact, _ in rows],
            [position for _, position in rows],
        ),
    )


MODEL = ReadModel("sites", (Table("sites", ("site", "effective_from")),), project, passes_over_usage=True)
