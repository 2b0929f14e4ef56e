"""Supply points: their meter and relay, operators' locks, and a consumer's consent to be switched on."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from psycopg.rows import class_row
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import SupplyInPath
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, OperatorOrders, Ordering, ordering
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Body, Code, Instant
from ledger.usecases.relays import clear_lock, consent_to_close, set_lock
from ledger.values.errors import NotFound
from projections.queries import RelayState

router = APIRouter(prefix="/v1/supplies", tags=["supply points"])

_READERS = ("kiosk", "finance", "operator", "auditor")
_STATES = """
SELECT s.supply, s.site, s.concentrator, s.meter,
    (SELECT o.account FROM projections.occupancies AS o
     WHERE o.supply = s.supply AND o.occupied_from <= %(now)s ORDER BY o.position DESC LIMIT 1) AS account,
    coalesce(r.desired, 'closed') AS desired, coalesce(r.actual, 'unknown') AS actual,
    coalesce(r.locks, '{}') AS locks, coalesce(r.warned, false) AS warned,
    coalesce(r.order_sequence, 0) AS order_sequence,
    CASE WHEN r.order_sequence > 0 THEN r.order_outcome END AS order_outcome,
    coalesce(r.disconnections, 0) AS disconnections, coalesce(r.reconnections, 0) AS reconnections
FROM projections.supplies AS s LEFT JOIN projections.relay AS r ON r.supply = s.supply
WHERE (%(supply)s::text IS NULL OR s.supply = %(supply)s) AND s.supply > %(after)s
    AND (%(site)s::text IS NULL OR s.site = %(site)s)
ORDER BY s.supply LIMIT %(limit)s
"""


class SupplyPoint(BaseModel):
    """A supply point with its meter and its relay; `account` is who occupies it now."""

    supply: Code
    site: str
    concentrator: str
    meter: str
    account: str | None
    relay_wanted: str = Field(examples=["closed"])
    relay_read_back: str = Field(description="What the relay was last read to be.", examples=["closed"])
    locks: list[str] = Field(description="What holds the supply off.")
    is_warned: bool
    disconnections: int
    reconnections: int


Cause = Literal["over-power", "safety", "maintenance", "tamper", "vacancy", "operator"]


class NewLock(Body):
    """Why a supply is locked, for what cause, and who it is that says so."""

    reason: Code
    operator: Code
    cause: Cause = "operator"
    until: Instant | None = Field(default=None, description="When it ends by itself, if it does.")


class NewUnlock(Body):
    """Why a lock of a cause is cleared, and who does it; `approved_by` is the second person, where it needs two."""

    reason: Code
    operator: Code
    cause: Cause = "operator"
    approved_by: Code | None = None


class NewConsent(Body):
    """How the consumer said that appliances are off and the supply may be switched on."""

    channel: Code = "kiosk"


class Recorded(BaseModel):
    """Where a command stands in the ledger; of a key that came before, where its first one does."""

    position: int


@router.get("", responses=responses(401, 403, 422, 429))
def list_supplies(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("operator", "finance", "auditor"))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
    site: Annotated[str | None, Query(max_length=64, description="Only supply points of this site.")] = None,
) -> Page[SupplyPoint]:
    """List supply points by code."""
    found = _states(services, after_=cursor, site=site, limit=limit + 1)
    return paged(found, limit=limit, key=lambda row: row.supply)


@router.get("/{supply}", responses=responses(401, 403, 404, 422, 429))
def show_supply(
    supply: SupplyInPath, services: AnyService, _key: Annotated[ApiKey, Depends(needing(*_READERS))]
) -> SupplyPoint:
    """Tell a supply point's meter, occupant and relay."""
    found = _states(services, supply=supply, limit=1)
    if not found:
        raise NotFound(f"there is no supply point {supply!r}; register it first, or check the code")
    return found[0]


@router.post("/{supply}/consents", status_code=201, responses=REFUSALS)
def consent(
    supply: SupplyInPath,
    body: NewConsent,
    orders: Annotated[Ordering, Depends(ordering("kiosk", "operator"))],
) -> Recorded:
    """Take a consumer's word that the supply may be switched on, once per Idempotency-Key of this API key."""
    return Recorded(
        position=consent_to_close(
            orders.ledger,
            supply=supply,
            channel=body.channel,
            key=orders.key,
            now=orders.now,
        )
    )


@router.post("/{supply}/locks", status_code=201, responses=REFUSALS)
def lock(
    supply: SupplyInPath,
    body: NewLock,
    orders: OperatorOrders,
) -> Recorded:
    """Hold a supply off for a cause that people lock for, once per Idempotency-Key of this API key."""
    return Recorded(
        position=set_lock(
            orders.ledger,
            supply=supply,
            reason=body.reason,
            operator=body.operator,
            cause=body.cause,
            until=body.until,
            key=orders.key,
            now=orders.now,
        )
    )


@router.post("/{supply}/unlocks", status_code=201, responses=REFUSALS)
def unlock(
    supply: SupplyInPath,
    body: NewUnlock,
    orders: OperatorOrders,
) -> Recorded:
    """Clear the lock of a cause, once per Idempotency-Key of this API key; the others keep holding."""
    return Recorded(
        position=clear_lock(
            orders.ledger,
            supply=supply,
            reason=body.reason,
            operator=body.operator,
            cause=body.cause,
            approved_by=body.approved_by or "",
            key=orders.key,
            now=orders.now,
        )
    )


def _states(
    services: AnyService, *, limit: int, supply: str | None = None, site: str | None = None, after_: str = ""
) -> list[SupplyPoint]:
    wanted = {"now": services.now(), "supply": supply, "site": site, "after": after_, "limit": limit}
    with services.reading() as connection, connection.cursor(row_factory=class_row(RelayState)) as rows:
        return [_shown(row) for row in rows.execute(_STATES, wanted)]


def _shown(row: RelayState) -> SupplyPoint:
    return SupplyPoint(
        supply=row.supply,
        site=row.site,
        concentrator=row.concentrator,
        meter=row.meter,
        account=row.account,
        relay_wanted=row.desired,
        relay_read_back=row.actual,
        locks=row.locks,
        is_warned=row.warned,
        disconnections=row.disconnections,
        reconnections=row.reconnections,
    )
