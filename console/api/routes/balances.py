"""Balances and debts put right by people: refunds, adjustments, debts agreed, paid and given up, accounts closed."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from console.api.codes import AccountInPath
from console.api.orders import ORDERED, Done, FinanceOrders, Order
from console.api.values import Code, PaidAmount, SignedAmount
from ledger.usecases.credit.commands import AgreeDebt
from ledger.usecases.money.paying_out import CloseAccount, CollectDebt, Refund
from ledger.usecases.money.putting_right import Adjust, WriteOff
from ledger.values.money import micros_from_text

router = APIRouter(prefix="/v1/accounts", tags=["corrections"])

_Channel = Annotated[Code, Field(description="How the money goes.", examples=["bank"])]


class NewRefund(Order):
    """Some of the balance, to be paid out."""

    amount: PaidAmount
    channel: _Channel


class NewAdjustment(Order):
    """A change of the balance by hand."""

    amount: SignedAmount
    bearer: Literal["adjustments", "gifts"] = Field(default="adjustments", description="What bears it in the books.")


class NewWriteOff(Order):
    """Some of what is owed, given up."""

    amount: PaidAmount


class NewDebt(Order):
    """A debt that the account's credit policy repays."""

    amount: PaidAmount
    source: Literal["balance", "brought-forward"] = Field(
        default="balance", description="What the balance is below zero, or what was owed before this ledger."
    )


class NewDebtPayment(Order):
    """A payment on a debt; the balance is not touched."""

    amount: PaidAmount
    channel: _Channel


class NewClosing(Order):
    """An account's end."""

    channel: Code | None = Field(default=None, description="How the rest goes out; kept as unclaimed without one.")


@router.post("/{account}/refunds", status_code=201, responses=ORDERED)
def refund(account: AccountInPath, body: NewRefund, orders: FinanceOrders) -> Done:
    """Pay some of the balance out; never more than there is."""
    amount_micros = micros_from_text(body.amount)
    return orders.done(Refund(account=account, amount_micros=amount_micros, channel=body.channel), body)


@router.post("/{account}/adjustments", status_code=201, responses=ORDERED)
def adjust(account: AccountInPath, body: NewAdjustment, orders: FinanceOrders) -> Done:
    """Change the balance by hand: above zero in the consumer's favour, below zero against them."""
    amount_micros = micros_from_text(body.amount)
    return orders.done(Adjust(account=account, amount_micros=amount_micros, bearer=body.bearer), body)


@router.post("/{account}/write-offs", status_code=201, responses=ORDERED)
def write_off(account: AccountInPath, body: NewWriteOff, orders: FinanceOrders) -> Done:
    """Give up some of what the account owes: its debt first, then a balance below zero."""
    return orders.done(WriteOff(account=account, amount_micros=micros_from_text(body.amount)), body)


@router.post("/{account}/debts", status_code=201, responses=ORDERED)
def agree_debt(account: AccountInPath, body: NewDebt, orders: FinanceOrders) -> Done:
    """Agree on a debt, which the credit policy repays."""
    amount_micros = micros_from_text(body.amount)
    return orders.done(AgreeDebt(account=account, amount_micros=amount_micros, source=body.source), body)


@router.post("/{account}/debt-payments", status_code=201, responses=ORDERED)
def collect(account: AccountInPath, body: NewDebtPayment, orders: FinanceOrders) -> Done:
    """Take a payment on the account's debt, of a closed account too; never more than is owed."""
    amount_micros = micros_from_text(body.amount)
    return orders.done(CollectDebt(account=account, amount_micros=amount_micros, channel=body.channel), body)


@router.post("/{account}/closings", status_code=201, responses=ORDERED)
def close(account: AccountInPath, body: NewClosing, orders: FinanceOrders) -> Done:
    """Close an account: the balance pays its debt, the rest goes out; closing again settles debits that came late."""
    return orders.done(CloseAccount(account=account, channel=body.channel or ""), body)
