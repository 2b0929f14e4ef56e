"""Commands on money over the API: booked at once, or proposed where it takes two people."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.keys import ApiKey, Scope
from console.api.problems import responses
from console.api.services import Services
from console.api.values import Body, Code, IdempotencyKey
from console.api.who import api_key, ordered_by, part_key
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import By, MoneyCommand
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
    """A request that orders something: whose API key it comes with, and under which Idempotency-Key."""

    def __init__(self, services: Services, caller: ApiKey, idempotency_key: str, response: Response) -> None:
        self.ledger = services.ledger
        self.caller = caller
        self._services = services
        self._idempotency_key = idempotency_key
        self._response = response

    @property
    def now(self) -> datetime:
        """The time at which a command is recorded."""
        return self._services.now()

    @property
    def key(self) -> str:
        """The ledger's key of what is ordered."""
        return api_key(self.caller, self._idempotency_key)

    def part_key(self, part: str) -> str:
        """Return the ledger's key of a part, which is a command of its own."""
        return part_key(self.caller, self._idempotency_key, part)

    def by(self, *, reason: str, operator: str = "") -> By:
        """Return who orders it; the key's own id where nobody says who sits behind it."""
        return ordered_by(self._services, self.caller, self._idempotency_key, reason=reason, operator=operator)

    def done(self, command: MoneyCommand, words: Order) -> Done:
        """Book or propose a command; raises a LedgerError where it is refused."""
        by = self.by(reason=words.reason, operator=words.operator)
        outcome = order(self.ledger, command, by=by)
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


def ordering(*scopes: Scope) -> Callable[..., Ordering]:
    """Return a dependency that takes orders from keys with any of these scopes."""

    def of_request(
        services: AnyService,
        key: Annotated[ApiKey, Depends(needing(*scopes))],
        idempotency_key: IdempotencyKey,
        response: Response,
    ) -> Ordering:
        return Ordering(services, key, idempotency_key, response)

    return of_request


FinanceOrders = Annotated[Ordering, Depends(ordering("finance"))]
OperatorOrders = Annotated[Ordering, Depends(ordering("operator"))]

# What an operation that orders may answer with, and one that may propose instead.
REFUSALS = responses(401, 403, 404, 409, 422, 429)
_PROPOSED: dict[int | str, dict[str, Any]] = {
    202: {"model": Done, "description": "Proposed: another person has to approve it."}
}
ORDERED = _PROPOSED | REFUSALS
