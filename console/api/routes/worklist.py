"""The worklist: what waits for a person, the longest first."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.keys import ApiKey
from console.api.paging import Limit, Page, PlaceCursor
from console.api.problems import responses
from console.supplies.waiting import Place, waiting

router = APIRouter(prefix="/v1/worklist", tags=["worklist"])


class Waiting(BaseModel):
    """Something that waits for a person, for as long as its cause stands."""

    kind: str = Field(examples=["reading-held"])
    subject: str = Field(description="What it is about: a supply point's code, say.")
    since: datetime
    detail: str


@router.get("", responses=responses(401, 403, 422, 429))
def list_waiting(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))],
    limit: Limit = 100,
    cursor: PlaceCursor = "",
    kind: Annotated[
        str | None, Query(max_length=40, pattern=r"^[a-z-]+$", description="Only items of this kind.")
    ] = None,
) -> Page[Waiting]:
    """List what waits for a person; `wattledger worklist --help` tells what each kind asks for."""
    with services.reading() as connection:
        found = waiting(connection, kind=kind, now=services.now())
    left = [item for item in found if not cursor or Place.of(item) > Place.read(cursor)]
    shown = left[:limit]
    return Page(
        items=[Waiting(kind=row.kind, subject=row.subject, since=row.since, detail=row.detail) for row in shown],
        next_cursor=str(Place.of(shown[-1])) if len(left) > limit else None,
    )
