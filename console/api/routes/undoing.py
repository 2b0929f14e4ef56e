"""Top-ups taken away again, debits given back, and what names what."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.keys import ApiKey
from console.api.orders import ORDERED, Done, FinanceOrders, Order
from console.api.problems import responses
from console.api.values import Code, PaidAmount, PositionInPath
from ledger.usecases.money.putting_right import CorrectDebit
from ledger.usecases.money.undoing import ChargeBack, ReverseTopUp, TransferTopUp
from ledger.values.money import micros_from_text
from projections.links import links_of

router = APIRouter(prefix="/v1", tags=["corrections"])


class NewChargeback(Order):
    """The payer's bank took a top-up back."""

    fee: str = Field(
        default="0",
        pattern=r"^([1-9]?[0-9]{1,2}(\.[0-9]{1,6})?|1000)$",
        max_length=10,
        description="What the bank takes for it, 1000 at most; we bear it.",
        examples=["15.00"],
    )


class NewTransfer(Order):
    """The account that a top-up was meant for."""

    to_account: Code


class NewCorrection(Order):
    """How much of a debit is given back."""

    amount: PaidAmount


class Link(BaseModel):
    """The event at `position` names the one at `original`; `relation` is what it is to it."""

    original: int
    position: int
    relation: str = Field(examples=["account.top-up-reversed"])


class Links(BaseModel):
    """What an event names, and what names it."""

    position: int
    links: list[Link]


@router.post("/top-ups/{position}/reversals", status_code=201, responses=ORDERED)
def reverse(position: PositionInPath, body: Order, orders: FinanceOrders) -> Done:
    """Reverse a top-up, once; what of it is used up becomes debt."""
    return orders.done(ReverseTopUp(top_up_position=position), body)


@router.post("/top-ups/{position}/chargebacks", status_code=201, responses=ORDERED)
def charge_back(position: PositionInPath, body: NewChargeback, orders: FinanceOrders) -> Done:
    """Book that the payer's bank took a top-up back, and its fee."""
    return orders.done(ChargeBack(top_up_position=position, fee_micros=micros_from_text(body.fee)), body)


@router.post("/top-ups/{position}/transfers", status_code=201, responses=ORDERED)
def transfer(position: PositionInPath, body: NewTransfer, orders: FinanceOrders) -> Done:
    """Move a top-up that went to the wrong account to the right one, both sides in one transaction."""
    return orders.done(TransferTopUp(top_up_position=position, to_account=body.to_account), body)


@router.post("/debits/{position}/corrections", status_code=201, responses=ORDERED)
def correct_debit(position: PositionInPath, body: NewCorrection, orders: FinanceOrders) -> Done:
    """Give some of a debit back, as after a meter fault: of each of its lines a share, taxes included."""
    command = CorrectDebit(debit_position=position, amount_micros=micros_from_text(body.amount))
    return orders.done(command, body)


@router.get("/events/{position}/links", responses=responses(401, 403, 422, 429))
def show_links(
    position: PositionInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "operator", "auditor"))],
) -> Links:
    """Tell what an event names and what names it: what undid a top-up, corrected a debit, resolved a dispute."""
    with services.reading() as connection:
        found = links_of(connection, position=position)
    return Links(
        position=position,
        links=[
            Link(original=row.original, position=row.position, relation=row.relation.partition("/")[0])
            for row in found
        ],
    )
