"""Commands on money over the API: booked at once, or proposed where it takes two people."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from console.api.access import needing, services_of
from console.api.keys import ApiKey
from console.api.problems import responses
from console.api.services import Services
from console.api.values import Body, Code, IdempotencyKey
from console.api.who import ordered_by
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import MoneyCommand
from ledger.usecases.money.ordering import order


class Order(Body):
    """Why something is done to money, and who says so."""

    reason: Code = Field(description="Why, as a code; no personal data.", examples=["wrong-account"])
    operator: Code = Field(description="Who decides: an opaque id, no name.", examples=["op-7"])


class Proposed(BaseModel):
    """What waits for a second person, or what became of it."""

    proposal: str
    outcome: Literal["open", "approved", "rejected", "expired"]
    decided_by: str | None
    why: str = Field(description="The limit or the rule that asks for two people.")
    expires_at: datetime


class Done(BaseModel):
    """Where a command stands in the ledger; or, answered with 202, the proposal that it is until another approves."""

    position: int | None = Field(description="Null where it is proposed, and nothing is booked by this answer.")
    is_repeat: bool = Field(description="Whether this key had booked or proposed it before.")
    proposal: Proposed | None = None


class Ordering:
    """Carries out what a request orders, under its Idempotency-Key."""

    def __init__(self, services: Services, key: ApiKey, idempotency_key: str, response: Response) -> None:
        self.services = services
        self._key = key
        self._idempotency_key = idempotency_key
        self._response = response

    def done(self, command: MoneyCommand, words: Order) -> Done:
        """Book or propose a command; raises a LedgerError where it is refused."""
        by = ordered_by(self.services, self._key, self._idempotency_key, reason=words.reason, operator=words.operator)
        outcome = order(self.services.ledger, command, by=by)
        if isinstance(outcome, Booked):
            return Done(position=outcome.position, is_repeat=outcome.is_repeat)
        self._response.status_code = 202
        made = outcome.made
        return Done(
            position=None,
            is_repeat=made.recorded_at != by.now,
            proposal=Proposed(
                proposal=made.proposal,
                outcome=outcome.outcome,
                decided_by=outcome.decided_by or None,
                why=made.why,
                expires_at=made.expires_at,
            ),
        )


_PROPOSED = {202: {"model": Done, "description": "Proposed: another person has to approve it."}}
# What every operation that orders answers with.
ORDERED = _PROPOSED | responses(401, 403, 404, 409, 422, 429)

_ByFinance = Annotated[ApiKey, Depends(needing("finance"))]
_ByFinanceOrOperator = Annotated[ApiKey, Depends(needing("finance", "operator"))]
_Services = Annotated[Services, Depends(services_of)]


def _of_finance(
    services: _Services, key: _ByFinance, idempotency_key: IdempotencyKey, response: Response
) -> Ordering:
    return Ordering(services, key, idempotency_key, response)


def _of_finance_or_operator(
    services: _Services, key: _ByFinanceOrOperator, idempotency_key: IdempotencyKey, response: Response
) -> Ordering:
    return Ordering(services, key, idempotency_key, response)


FinanceOrders = Annotated[Ordering, Depends(_of_finance)]
FinanceOrOperatorOrders = Annotated[Ordering, Depends(_of_finance_or_operator)]
