"""Many supply points switched at once, with a result for each."""

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.orders import OperatorOrders, Ordering
from console.api.problems import responses
from console.api.routes.supplies import Cause
from console.api.values import Body, Code, Instant
from console.batches import done_to_each
from ledger.store.application import Ledger
from ledger.usecases.relays import clear_lock, end_forcing, force_on, set_lock
from ledger.values.errors import InvalidValue

router = APIRouter(prefix="/v1/batches", tags=["supply points"])


class NewBatch(Body):
    """What is to be done to which supply points; each as its own operation says, one after the other."""

    action: Literal["lock", "unlock", "force-on", "end-forcing"]
    supplies: list[Code] = Field(min_length=1, max_length=200)
    reason: Code
    operator: Code
    cause: Cause = Field(default="operator", description="For locks.")
    until: Instant | None = Field(default=None, description="The end of a lock, or of being forced on.")
    approved_by: Code | None = Field(default=None, description="The second person, where clearing a lock needs two.")


class SupplyResult(BaseModel):
    """What became of a supply point's part: where it stands in the ledger, or why it was refused."""

    supply: str
    position: int | None
    refusal: str | None


class BatchResults(BaseModel):
    """A result for each supply point, in the order in which they were given."""

    refused: int
    results: list[SupplyResult]


@router.post("", responses=responses(401, 403, 422, 429))
def switch_many(body: NewBatch, orders: OperatorOrders) -> BatchResults:
    """Lock, unlock or force on many supply points; what is refused for one stops no other.

    Each is done once per Idempotency-Key of this API key; the same key again tries what was refused once more.
    """
    found = list(done_to_each(orders.ledger, body.supplies, _done(body, orders)))
    return BatchResults(
        refused=sum(bool(row.refusal) for row in found),
        results=[
            SupplyResult(supply=row.supply, position=row.position or None, refusal=row.refusal or None)
            for row in found
        ],
    )


def _done(body: NewBatch, orders: Ordering) -> Callable[[Ledger, str], int]:
    def do(ledger: Ledger, supply: str) -> int:
        words = {"supply": supply, "reason": body.reason, "operator": body.operator, "key": orders.part_key(supply)}
        match body.action:
            case "lock":
                return set_lock(ledger, cause=body.cause, until=body.until, now=orders.now, **words)
            case "unlock":
                second = body.approved_by or ""
                return clear_lock(ledger, cause=body.cause, approved_by=second, now=orders.now, **words)
            case "force-on":
                if body.until is None:
                    raise InvalidValue("until is missing; say when being forced on ends, a month away at most")
                return force_on(ledger, until=body.until, now=orders.now, **words)
            case "end-forcing":
                return end_forcing(ledger, now=orders.now, **words)

    return do
