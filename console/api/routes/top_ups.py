"""An account's top-ups, with the positions by which they are reversed or moved."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath
from console.api.keys import ApiKey
from console.api.paging import Limit, Page, PositionCursor
from console.api.problems import responses
from console.api.values import Amount
from ledger.domain.agent import receipt_text
from ledger.usecases.accounts import account_of
from ledger.values.money import text_from_micros
from projections.top_ups import TopUpEntry, top_ups_of

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


class PastTopUp(BaseModel):
    """A top-up as it was booked."""

    position: int = Field(description="Where it stands in the ledger.")
    at: datetime
    amount: Amount
    channel: str
    agent: str | None = Field(description="Who sold it, if an agent did.")
    receipt_number: str | None = Field(examples=["lobby-000042"])
    payer: str | None = Field(description="Who paid it for several accounts at once, if somebody did.")
    is_undone: bool = Field(description="Whether it was reversed, charged back or moved to another account.")


@router.get("/{account}/top-ups", responses=responses(401, 403, 404, 422, 429))
def list_top_ups(
    account: AccountInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))],
    limit: Limit = 100,
    cursor: PositionCursor = 0,
) -> Page[PastTopUp]:
    """List an account's top-ups in order, at the ledger's head."""
    undone = account_of(services.ledger, account).undone
    with services.reading() as connection:
        rows = top_ups_of(connection, account=account, after=cursor, limit=limit + 1)
    more = str(rows[limit - 1].number) if len(rows) > limit else None
    return Page(items=[_shown(row, row.position in undone) for row in rows[:limit]], next_cursor=more)


def _shown(row: TopUpEntry, is_undone: bool) -> PastTopUp:
    fact = row.fact
    return PastTopUp(
        position=row.position,
        at=fact.recorded_at,
        amount=text_from_micros(fact.amount_micros),
        channel=fact.channel,
        agent=fact.agent or None,
        receipt_number=receipt_text(fact.agent, fact.receipt_number) if fact.receipt_number else None,
        payer=fact.payer or None,
        is_undone=is_undone,
    )
