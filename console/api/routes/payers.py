"""Payers, who pay for several accounts at once."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import PayerInPath
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, FinanceOrders
from console.api.problems import responses
from console.api.values import Amount, Body, Code, PaidAmount
from ledger.usecases.credit.payers import MOST_ACCOUNTS, accounts_of_payer, set_payer_accounts, top_up_all
from ledger.values.errors import Refused
from ledger.values.money import micros_from_text, text_from_micros

router = APIRouter(prefix="/v1/payers", tags=["payers"])


class Payer(BaseModel):
    """Whom a payer pays for."""

    payer: str
    accounts: list[str]


class NewAccounts(Body):
    """Every account that a payer pays for, from here on."""

    accounts: list[Code] = Field(max_length=MOST_ACCOUNTS)
    operator: Code


class AccountAmount(Body):
    """What an account gets."""

    account: Code
    amount: PaidAmount


class NewPayment(Body):
    """Money for several accounts: all of them, or none."""

    amounts: list[AccountAmount] = Field(min_length=1, max_length=MOST_ACCOUNTS)
    channel: Code = Field(default="bank", description="How the money came in.")


class PaymentBooked(BaseModel):
    """Where the last of the top-ups stands in the ledger, and what they come to."""

    payer: str
    position: int
    is_repeat: bool = Field(description="Whether this key had booked it before.")
    total: Amount


@router.get("/{payer}", responses=responses(401, 403, 404, 422, 429))
def show(
    payer: PayerInPath, services: AnyService, _key: Annotated[ApiKey, Depends(needing("finance", "auditor"))]
) -> Payer:
    """Tell whom a payer pays for, 500 accounts at most."""
    return Payer(payer=payer, accounts=list(accounts_of_payer(services.ledger, payer)))


@router.post("/{payer}/accounts", status_code=201, responses=REFUSALS)
def set_accounts(
    payer: PayerInPath,
    body: NewAccounts,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance"))],
) -> Payer:
    """Say whom a payer pays for; what was said before is replaced."""
    accounts = list(dict.fromkeys(body.accounts))
    set_payer_accounts(services.ledger, payer=payer, accounts=accounts, operator=body.operator, now=services.now())
    return Payer(payer=payer, accounts=accounts)


@router.post("/{payer}/top-ups", status_code=201, responses=REFUSALS)
def pay_for_all(
    payer: PayerInPath,
    body: NewPayment,
    orders: FinanceOrders,
) -> PaymentBooked:
    """Top up several accounts of a payer in one transaction, once per Idempotency-Key of this API key."""
    amounts_micros = {row.account: micros_from_text(row.amount) for row in body.amounts}
    if len(amounts_micros) < len(body.amounts):
        raise Refused("an account is there twice; give each with all that it gets")
    booked = top_up_all(
        orders.ledger,
        payer=payer,
        amounts_micros=amounts_micros,
        channel=body.channel,
        key=orders.key,
        now=orders.now,
    )
    total = text_from_micros(sum(amounts_micros.values()))
    return PaymentBooked(payer=payer, position=booked.position, is_repeat=booked.is_repeat, total=total)
