"""The books: the trial balance."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from console.api.access import AnyService, needing
from console.api.keys import ApiKey
from console.api.problems import responses
from console.api.values import Amount, amount_text
from projections.queries import trial_balance

router = APIRouter(prefix="/v1/trial-balance", tags=["finance"])


class Row(BaseModel):
    """A code of the chart with the sum of its postings; debits are positive."""

    code: str
    amount: Amount
    postings: int


class TrialBalance(BaseModel):
    """Every code's sum at a position; `total` is zero."""

    position: int
    total: Amount
    rows: list[Row]


@router.get("", responses=responses(401, 403, 422, 429))
def show(services: AnyService, _key: Annotated[ApiKey, Depends(needing("finance", "auditor"))]) -> TrialBalance:
    """Tell the trial balance as far as events are projected."""
    with services.reading() as connection:
        found = trial_balance(connection)
    rows = [Row(code=row.code, amount=amount_text(row.amount), postings=row.postings) for row in found.rows]
    return TrialBalance(position=found.position, total=amount_text(found.total), rows=rows)
