"""Tokens of meters without a link: energy sold as digits."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import SupplyInPath
from console.api.keys import ApiKey
from console.api.problems import responses
from console.api.values import Amount, Body, Code, IdempotencyKey, PaidAmount
from console.api.who import api_key
from console.tokens.digits import grouped
from console.tokens.issued import Token, token_at
from console.tokens.secrets_kept import kept_secrets
from ledger.usecases.tokens.issuing import issue_token
from ledger.values.energy import kwh_from_milliwh
from ledger.values.money import micros_from_text, text_from_micros

router = APIRouter(prefix="/v1", tags=["tokens"])


class NewToken(Body):
    """For how much of the balance; all of it where no amount is given."""

    operator: Code
    amount: PaidAmount | None = None


class IssuedToken(BaseModel):
    """A token, with the digits that are typed into the meter."""

    supply: str
    kind: str = Field(description="add, set, disable or counter-sync.", examples=["add"])
    digits: str = Field(description="To be typed in; blanks are for reading only.", examples=["123 456 789"])
    units: int
    energy_kwh: str = Field(description="The energy that was sold, as decimal text.")
    amount: Amount
    account: str | None
    issued_at: datetime
    position: int = Field(description="Where it stands in the ledger.")
    is_repeat: bool = Field(description="Whether it had been issued before.")


@router.post("/supplies/{supply}/tokens", status_code=201, responses=responses(401, 403, 404, 409, 422, 429))
def issue(
    supply: SupplyInPath,
    body: NewToken,
    idempotency_key: IdempotencyKey,
    services: AnyService,
    key: Annotated[ApiKey, Depends(needing("kiosk", "operator"))],
) -> IssuedToken:
    """Sell energy as a token out of the balance, once per Idempotency-Key of this API key."""
    with services.reading() as devices:
        # Before anything is sold: whose digits nobody can work out is not charged for them.
        kept_secrets(devices, supply=supply, key=services.token_key())
        booked = issue_token(
            services.ledger,
            supply=supply,
            amount_micros=None if body.amount is None else micros_from_text(body.amount),
            operator=body.operator,
            key=api_key(key, idempotency_key),
            now=services.now(),
        )
        token = token_at(services.ledger, devices, position=booked.position, key=services.token_key())
    return _shown(token, is_repeat=booked.is_repeat)


@router.get("/tokens/{position}", responses=responses(401, 403, 404, 422, 429))
def show(
    position: Annotated[int, Path(ge=1, le=2**62, description="The token's place in the ledger.")],
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("kiosk", "operator"))],
) -> IssuedToken:
    """Give a token again, digits and all."""
    with services.reading() as devices:
        token = token_at(services.ledger, devices, position=position, key=services.token_key())
    return _shown(token, is_repeat=True)


def _shown(token: Token, *, is_repeat: bool) -> IssuedToken:
    return IssuedToken(
        supply=token.supply,
        kind=token.kind,
        digits=grouped(token.digits),
        units=token.units,
        energy_kwh=f"{kwh_from_milliwh(token.energy_milliwh):.6f}",
        amount=text_from_micros(token.amount_micros),
        account=token.account or None,
        issued_at=token.at,
        position=token.position,
        is_repeat=is_repeat,
    )
