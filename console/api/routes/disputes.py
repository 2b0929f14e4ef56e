"""Disputes: while one is open nobody is cut for credit, and what is disputed does not count as used."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath, DisputeInPath
from console.api.keys import ApiKey
from console.api.orders import ORDERED, Done, FinanceOrders, Order, Ordering, ordering
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Amount, Code, PaidAmount, Position
from ledger.domain.account_facts import DisputeOpened, Outcome
from ledger.usecases.accounts import account_of
from ledger.usecases.money.disputing import OpenDispute, ResolveDispute
from ledger.values.money import micros_from_text, text_from_micros

router = APIRouter(prefix="/v1/accounts", tags=["disputes"])


class Dispute(BaseModel):
    """A dispute that is open."""

    dispute: Code
    amount: Amount
    about_position: int | None = Field(description="The event that is disputed, if one was named.")
    reason: str
    operator: str
    opened_at: datetime


class NewDispute(Order):
    """What the consumer disputes."""

    dispute: Code = Field(description="A code of yours for it.", examples=["d-2026-17"])
    amount: PaidAmount
    about_position: Position | None = Field(default=None, description="The event that is disputed, if it is one.")


class NewResolution(Order):
    """How a dispute ends; one that is upheld names the correction or adjustment that put it right."""

    outcome: Outcome
    remedy_position: Position | None = Field(default=None, description="What put it right, for one upheld.")


@router.get("/{account}/disputes", responses=responses(401, 403, 404, 422, 429))
def list_disputes(
    account: AccountInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
) -> Page[Dispute]:
    """List an account's open disputes by code, at the ledger's head."""
    found = account_of(services.ledger, account).disputes
    rows = [_shown(found[code]) for code in sorted(found) if code > cursor]
    return paged(rows[: limit + 1], limit=limit, key=lambda row: row.dispute)


@router.post("/{account}/disputes", status_code=201, responses=ORDERED)
def open_new(
    account: AccountInPath, body: NewDispute, orders: Annotated[Ordering, Depends(ordering("finance", "operator"))]
) -> Done:
    """Open a dispute."""
    command = OpenDispute(
        account=account,
        dispute=body.dispute,
        amount_micros=micros_from_text(body.amount),
        about_position=body.about_position or 0,
    )
    return orders.done(command, body)


@router.post("/{account}/disputes/{dispute}/resolutions", status_code=201, responses=ORDERED)
def resolve(account: AccountInPath, dispute: DisputeInPath, body: NewResolution, orders: FinanceOrders) -> Done:
    """Resolve an open dispute."""
    command = ResolveDispute(
        account=account, dispute=dispute, outcome=body.outcome, remedy_position=body.remedy_position or 0
    )
    return orders.done(command, body)


def _shown(opened: DisputeOpened) -> Dispute:
    return Dispute(
        dispute=opened.dispute,
        amount=text_from_micros(opened.amount_micros),
        about_position=opened.about_position or None,
        reason=opened.reason,
        operator=opened.operator,
        opened_at=opened.recorded_at,
    )
