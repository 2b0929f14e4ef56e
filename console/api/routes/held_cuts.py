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
from console.api.values import only_a_number
from ledger.usecases.switching import dismiss_cuts, held_cuts, release_cuts

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
def release(site: SiteInPath, body: Order, services: AnyService, _key: _Operators) -> CutsDecided:
    """Let a site's held cuts happen, where they are still due when they are decided on."""
    held = sorted(held_cuts(services.ledger, site=site).held)
    position = release_cuts(
        services.ledger, site=site, reason=body.reason, operator=body.operator, now=services.now()
    )
    return CutsDecided(site=site, supplies=held, position=position)


@router.post("/{site}/dismissals", status_code=201, responses=responses(401, 403, 409, 422, 429))
def dismiss(site: SiteInPath, body: NewDismissal, services: AnyService, _key: _Operators) -> CutsDecided:
    """Cut nobody of a site's held batch for a while."""
    held = sorted(held_cuts(services.ledger, site=site).held)
    position = dismiss_cuts(
        services.ledger,
        site=site,
        reason=body.reason,
        operator=body.operator,
        spare=timedelta(hours=body.hours),
        now=services.now(),
    )
    return CutsDecided(site=site, supplies=held, position=position)
