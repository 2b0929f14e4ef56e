"""Unidentified receipts: money that came in and nobody can place, until it is an account's or goes back."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import ReceiptInPath
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, FinanceOrders, Ordering, ordering
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Amount, Body, Code, PaidAmount, amount_text
from ledger.domain.receipt import Outcome
from ledger.usecases.money.receipts import identify_receipt, keep_receipt, return_receipt
from ledger.values.money import micros_from_text
from projections.receipts import ReceiptRow, receipts

router = APIRouter(prefix="/v1/receipts", tags=["unidentified receipts"])


class UnidentifiedReceipt(BaseModel):
    """Money that came in; `account` has it where it is identified."""

    receipt: Code
    amount: Amount
    channel: str
    kept_at: datetime
    outcome: Outcome
    account: str | None
    position: int = Field(description="Where what became of it last stands in the ledger.")


class NewReceipt(Body):
    """Money that came in and nobody can place."""

    receipt: Code = Field(description="A code of yours for it.")
    amount: PaidAmount
    channel: Code = Field(default="bank", description="How the money came in.")
    is_cleared: bool = Field(
        default=False, strict=True, description="The channel's provider has the money still, and will pay it out."
    )


class NewOwner(Body):
    """Whose it is, and who says so."""

    account: Code
    operator: Code


class NewReturn(Body):
    """Why it goes back, and who says so."""

    operator: Code
    reason: Code = "unknown-payee"


class ReceiptBooked(BaseModel):
    """Where the command stands in the ledger."""

    receipt: str
    position: int
    is_repeat: bool = Field(description="Whether this key had booked it before.")


@router.get("", responses=responses(401, 403, 422, 429))
def list_receipts(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "auditor"))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
    only_open: Annotated[bool, Query(alias="open", description="Only what nobody has placed yet.")] = False,
) -> Page[UnidentifiedReceipt]:
    """List receipts by code."""
    with services.reading() as connection:
        rows = receipts(connection, every=not only_open, after_=cursor, limit=limit + 1)
    return paged([_shown(row) for row in rows], limit=limit, key=lambda row: row.receipt)


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 429))
def keep(
    body: NewReceipt,
    orders: Annotated[Ordering, Depends(ordering("finance", "payment-provider"))],
) -> ReceiptBooked:
    """Keep a receipt of money until somebody knows whose it is, once per Idempotency-Key of this API key."""
    booked = keep_receipt(
        orders.ledger,
        receipt=body.receipt,
        amount_micros=micros_from_text(body.amount),
        channel=body.channel,
        by=orders.by(reason="unidentified"),
        is_cleared=body.is_cleared,
    )
    return ReceiptBooked(receipt=body.receipt, position=booked.position, is_repeat=booked.is_repeat)


@router.post("/{receipt}/identifications", status_code=201, responses=REFUSALS)
def identify(
    receipt: ReceiptInPath,
    body: NewOwner,
    orders: FinanceOrders,
) -> ReceiptBooked:
    """Credit an account with a kept receipt, once."""
    by = orders.by(reason="identified", operator=body.operator)
    booked = identify_receipt(orders.ledger, receipt=receipt, account=body.account, by=by)
    return ReceiptBooked(receipt=receipt, position=booked.position, is_repeat=booked.is_repeat)


@router.post("/{receipt}/returns", status_code=201, responses=REFUSALS)
def send_back(
    receipt: ReceiptInPath,
    body: NewReturn,
    orders: FinanceOrders,
) -> ReceiptBooked:
    """Book that a kept receipt went back to whoever had sent it, once."""
    by = orders.by(reason=body.reason, operator=body.operator)
    booked = return_receipt(orders.ledger, receipt=receipt, by=by)
    return ReceiptBooked(receipt=receipt, position=booked.position, is_repeat=booked.is_repeat)


def _shown(row: ReceiptRow) -> UnidentifiedReceipt:
    return UnidentifiedReceipt(
        receipt=row.receipt,
        amount=amount_text(row.amount),
        channel=row.channel,
        kept_at=row.kept_at,
        outcome=row.outcome,
        account=row.account or None,
        position=row.position,
    )
