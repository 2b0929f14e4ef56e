"""Where an account stands by its credit policy, and emergency credit taken."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AccountInPath
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, Ordering, ordering
from console.api.values import Amount, Body, Code
from console.credit import payable
from ledger.usecases.credit.commands import TakeEmergencyCredit
from ledger.usecases.credit.standing import account_credit
from ledger.usecases.money.carrying_out import carry_out
from ledger.values.money import text_from_micros
from projections.habits import credit_runs_out_at

router = APIRouter(prefix="/v1/accounts", tags=["credit"])


class Credit(BaseModel):
    """An account by its credit policy."""

    account: str
    currency: str
    balance: Amount
    usable: Amount = Field(description="The balance with what is disputed given back.")
    cut_at: Amount = Field(description="At this or below it supply may be cut; emergency credit in use is counted.")
    warning_level: int = Field(description="0: none; 1 is the first, and the highest.")
    emergency: str = Field(description="none, offered or taken.")
    emergency_limit: Amount
    emergency_used: Amount
    debt: Amount
    accrued: Amount = Field(description="What time charged while supply was off, and no top-up has paid.")
    nobody_is_cut_until: datetime | None = Field(description="The end of the friendly hours that it is now.")
    needed: Amount = Field(description="The least top-up to be back on, in coins that there are; 0 where none is.")
    runs_out_at: datetime | None = Field(
        description="When it is used up by the account's own habits; null where that is not known."
    )
    least_top_up: Amount
    most_top_up: Amount | None


class EmergencyCreditWanted(Body):
    """The consumer asks for the emergency credit that they are offered."""

    channel: Code = Field(default="kiosk", description="How they ask.")


class EmergencyCreditTaken(BaseModel):
    """Where it stands in the ledger."""

    position: int
    is_repeat: bool


@router.get("/{account}/credit", responses=REFUSALS)
def show_credit(
    account: AccountInPath,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("kiosk", "finance", "operator", "auditor"))],
) -> Credit:
    """Tell where an account stands, at the ledger's head."""
    now = services.now()
    credit = account_credit(services.ledger, account=account, now=now)
    standing, policy = credit.standing, credit.policy
    with services.reading() as connection:
        runs_out_at = credit_runs_out_at(connection, account=account, spare_micros=standing.spare_micros, now=now)
    most = policy.top_up_most_micros
    return Credit(
        account=account,
        currency=credit.account.currency,
        balance=text_from_micros(standing.balance_micros),
        usable=text_from_micros(standing.usable_micros),
        cut_at=text_from_micros(standing.threshold_micros),
        warning_level=standing.warning_level,
        emergency=standing.emergency,
        emergency_limit=text_from_micros(standing.emergency_limit_micros),
        emergency_used=text_from_micros(standing.emergency_used_micros),
        debt=text_from_micros(credit.figures.debt_micros),
        accrued=text_from_micros(credit.figures.accrued_micros),
        nobody_is_cut_until=standing.friendly_until,
        needed=text_from_micros(payable(standing.needed_micros, credit.account.currency)),
        runs_out_at=runs_out_at,
        least_top_up=text_from_micros(policy.top_up_least_micros),
        most_top_up=None if most is None else text_from_micros(most),
    )


@router.post("/{account}/emergency-credit", status_code=201, responses=REFUSALS)
def take_emergency_credit(
    account: AccountInPath,
    body: EmergencyCreditWanted,
    orders: Annotated[Ordering, Depends(ordering("kiosk", "operator"))],
) -> EmergencyCreditTaken:
    """Take the emergency credit that an account is offered, once per Idempotency-Key of this API key."""
    by = orders.by(reason="asked-for")
    booked = carry_out(orders.ledger, TakeEmergencyCredit(account=account, channel=body.channel), by=by)
    return EmergencyCreditTaken(position=booked.position, is_repeat=booked.is_repeat)
