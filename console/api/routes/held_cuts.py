"""Held cuts: so many of a site were due at once that somebody looks first; the worklist tells which wait."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, BeforeValidator, Field

from console.api.access import AnyService, needing
from console.api.codes import SiteInPath
from console.api.keys import ApiKey
from console.api.orders import Order
from console.api.problems import responses
from console.api.services import Services
from console.api.values import IdempotencyKey, only_a_number
from console.api.who import api_key
from ledger.usecases.switching import cuts_decided, dismiss_cuts, release_cuts

router = APIRouter(prefix="/v1/held-cuts", tags=["worklist"])

_Operators = Annotated[ApiKey, Depends(needing("operator"))]
_Hours = Annotated[int, Field(ge=1, le=744), BeforeValidator(only_a_number)]


class NewDismissal(Order):
    """For how long nobody of them is cut."""

    hours: _Hours = 24


class CutsDecided(BaseModel):
    """Which supply points' cuts were decided on, and where that stands in the ledger."""

    site: str
    supplies: list[str]
    position: int


@router.post("/{site}/releases", status_code=201, responses=responses(401, 403, 409, 422, 429))
def release(
    site: SiteInPath, body: Order, idempotency_key: IdempotencyKey, services: AnyService, key: _Operators
) -> CutsDecided:
    """Let a site's held cuts happen, where they are still due when they are decided on."""
    position = release_cuts(
        services.ledger,
        site=site,
        reason=body.reason,
        operator=body.operator,
        now=services.now(),
        key=api_key(key, idempotency_key),
    )
    return _decided(services, site, position)


@router.post("/{site}/dismissals", status_code=201, responses=responses(401, 403, 409, 422, 429))
def dismiss(
    site: SiteInPath, body: NewDismissal, idempotency_key: IdempotencyKey, services: AnyService, key: _Operators
) -> CutsDecided:
    """Cut nobody of a site's held batch for a while."""
    position = dismiss_cuts(
        services.ledger,
        site=site,
        reason=body.reason,
        operator=body.operator,
        spare=timedelta(hours=body.hours),
        now=services.now(),
        key=api_key(key, idempotency_key),
    )
    return _decided(services, site, position)


def _decided(services: Services, site: str, position: int) -> CutsDecided:
    return CutsDecided(site=site, supplies=cuts_decided(services.ledger, position=position), position=position)
