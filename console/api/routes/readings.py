"""Readings that were held instead of billed, why, and what people decide on them."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from psycopg.rows import dict_row
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, OperatorOrders, Order, Ordering
from console.api.paging import Limit, Page, PositionCursor, paged
from console.api.problems import responses
from console.api.values import Code, Kwh, PositionInPath, kwh_text
from ledger.domain.supply_life import Resolution
from ledger.usecases.holds import resolve_hold

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


class HoldDecided(BaseModel):
    """What was decided on a held reading; it is settled with the supply point's next one."""

    supply: Code
    reading: str
    read_at: datetime
    outcome: Literal["released", "dismissed"]
    operator: str
    decided_at: datetime = Field(description="When it was decided; of a key that came before, then.")


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


@router.post("/{position}/releases", status_code=201, responses=REFUSALS)
def release(
    position: PositionInPath,
    body: Order,
    orders: OperatorOrders,
) -> HoldDecided:
    """Release a held reading, once: it is billed if it is later than what is billed, else it is a correction."""
    return _decided(orders, position, "release", body)


@router.post("/{position}/dismissals", status_code=201, responses=REFUSALS)
def dismiss(
    position: PositionInPath,
    body: Order,
    orders: OperatorOrders,
) -> HoldDecided:
    """Dismiss a held reading, once: it is no money, and its episode is closed."""
    return _decided(orders, position, "dismiss", body)


def _decided(orders: Ordering, position: int, resolution: Resolution, words: Order) -> HoldDecided:
    fact = resolve_hold(
        orders.ledger,
        position=position,
        resolution=resolution,
        operator=words.operator,
        reason=words.reason,
        now=orders.now,
        key=orders.key,
    )
    return HoldDecided(
        supply=fact.supply,
        reading=str(fact.reading),
        read_at=fact.read_at,
        outcome="released" if fact.resolution == "release" else "dismissed",
        operator=fact.operator,
        decided_at=fact.recorded_at,
    )


def _shown(row: dict[str, Any]) -> HeldReading:
    return HeldReading(claimed_kwh=kwh_text(row.pop("claimed_milliwh")), **row)
