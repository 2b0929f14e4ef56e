"""Readings that were held instead of billed, and why."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from psycopg.rows import dict_row
from pydantic import BaseModel

from console.api.access import AnyService, needing
from console.api.keys import ApiKey
from console.api.paging import Limit, Page, PositionCursor, paged
from console.api.problems import responses
from console.api.values import Code, Kwh, kwh_text

router = APIRouter(prefix="/v1/held-readings", tags=["readings"])

_HELD = """
SELECT position, supply, meter, reading::text, reason, detail, read_at, claimed_milliwh, is_open
FROM projections.held_readings
WHERE position > %(after)s AND (%(supply)s::text IS NULL OR supply = %(supply)s) AND (is_open OR NOT %(open)s)
ORDER BY position LIMIT %(limit)s
"""


class HeldReading(BaseModel):
    """A reading that was not billed: why, and the energy that it claims beyond the bills."""

    position: int
    supply: Code
    meter: str
    reading: str
    reason: str
    detail: str
    read_at: datetime
    claimed_kwh: Kwh
    is_open: bool


@router.get("", responses=responses(401, 403, 422, 429))
def list_held(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("operator", "auditor"))],
    limit: Limit = 100,
    cursor: PositionCursor = 0,
    supply: Annotated[str | None, Query(max_length=64, description="Only of this supply point.")] = None,
    only_open: Annotated[bool, Query(alias="open", description="Only what still waits for somebody.")] = False,
) -> Page[HeldReading]:
    """List held readings in the order in which they were recorded."""
    wanted = {"after": cursor, "supply": supply, "open": only_open, "limit": limit + 1}
    with services.reading() as connection, connection.cursor(row_factory=dict_row) as rows:
        found = [_shown(row) for row in rows.execute(_HELD, wanted)]
    return paged(found, limit=limit, key=lambda row: str(row.position))


def _shown(row: dict[str, Any]) -> HeldReading:
    return HeldReading(claimed_kwh=kwh_text(row.pop("claimed_milliwh")), **row)
