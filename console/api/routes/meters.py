"""Meters: what they measure, what they tell of their own credit, and whether their concentrators are heard."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import MeterInPath
from console.api.keys import ApiKey
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Code
from console.supplies.waiting import SILENT_AFTER
from ledger.store.heartbeats import last_heard
from ledger.store.meter_credit import told_credit
from ledger.values.errors import NotFound

router = APIRouter(prefix="/v1", tags=["meters"])

_Readers = Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))]
_METERS = """
SELECT meter, supply, site, concentrator, measures, commissioned AS is_commissioned FROM projections.supplies
WHERE meter > %(after)s AND (%(meter)s::text IS NULL OR meter = %(meter)s)
    AND (%(site)s::text IS NULL OR site = %(site)s)
ORDER BY meter LIMIT %(limit)s
"""


class Meter(BaseModel):
    """A meter where it is installed now."""

    meter: Code
    supply: Code
    site: str
    concentrator: str
    measures: str = Field(description="register, or interval where files tell what it measured.")
    is_commissioned: bool


class OwnCredit(BaseModel):
    """A quantity of credit that a meter keeps itself: raw, and never money."""

    name: str = Field(examples=["purchases"])
    first_value: str
    first_at: datetime
    value: str
    changed_at: datetime
    changes: int


class MeterTold(Meter):
    """A meter with what it tells of its own credit."""

    own_credit: list[OwnCredit]


class Concentrator(BaseModel):
    """What a concentrator's collector last said of itself."""

    concentrator: Code
    collector: str
    heard_at: datetime
    is_silent: bool = Field(description="Not heard for five minutes.")
    meters: int
    failing: int
    spool_sweeps: int
    spool_oldest_s: int
    clock_ahead_s: float = Field(description="Of the broker's, in seconds.")


@router.get("/meters", responses=responses(401, 403, 422, 429))
def list_meters(
    services: AnyService,
    _key: _Readers,
    limit: Limit = 100,
    cursor: CodeCursor = "",
    site: Annotated[str | None, Query(max_length=64, description="Only meters of this site.")] = None,
) -> Page[Meter]:
    """List the meters that are installed by serial."""
    rows = [Meter(**row) for row in _meters(services, after_=cursor, site=site, limit=limit + 1)]
    return paged(rows, limit=limit, key=lambda row: row.meter)


@router.get("/meters/{meter}", responses=responses(401, 403, 404, 422, 429))
def show_meter(meter: MeterInPath, services: AnyService, _key: _Readers) -> MeterTold:
    """Tell what a meter measures, and what it tells of its own credit."""
    found = _meters(services, meter=meter, limit=1)
    if not found:
        raise NotFound(f"no meter {meter!r} is installed; check the serial")
    with services.reading() as connection:
        told = told_credit(connection, meter=meter)
    own = [
        OwnCredit(
            name=row.name,
            first_value=row.first_value,
            first_at=row.first_at,
            value=row.value,
            changed_at=row.changed_at,
            changes=row.changes,
        )
        for row in told
    ]
    return MeterTold(**found[0], own_credit=own)


@router.get("/concentrators", responses=responses(401, 403, 422, 429))
def list_concentrators(
    services: AnyService, _key: _Readers, limit: Limit = 100, cursor: CodeCursor = ""
) -> Page[Concentrator]:
    """List the concentrators that were ever heard by code, each with its collector's last heartbeat."""
    now = services.now()
    with services.reading() as connection:
        heard = last_heard(connection)
    rows = [
        Concentrator(
            concentrator=row.concentrator,
            collector=row.collector,
            heard_at=row.heard_at,
            is_silent=now - row.heard_at > SILENT_AFTER,
            meters=row.meters,
            failing=row.failing,
            spool_sweeps=row.spool_sweeps,
            spool_oldest_s=row.spool_oldest_s,
            clock_ahead_s=row.clock_ahead.total_seconds(),
        )
        for row in sorted(heard, key=lambda row: row.concentrator)
        if row.concentrator > cursor
    ]
    return paged(rows, limit=limit, key=lambda row: row.concentrator)


def _meters(
    services: AnyService, *, limit: int, meter: str | None = None, site: str | None = None, after_: str = ""
) -> list[dict[str, Any]]:
    wanted = {"meter": meter, "site": site, "after": after_, "limit": limit}
    with services.reading() as connection, connection.cursor(row_factory=dict_row) as rows:
        return rows.execute(_METERS, wanted).fetchall()
