"""Proposals: commands that wait for a second person, and their decision."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import ProposalInPath
from console.api.keys import ApiKey
from console.api.orders import Order
from console.api.paging import CodeCursor, Limit, Page, paged
from console.api.problems import responses
from console.api.values import Body, Code
from ledger.domain.proposal import Outcome
from ledger.usecases.money.proposals import approve, proposal_of, reject
from projections.proposals import ProposalRow, kind_of, proposals, summary_of

router = APIRouter(prefix="/v1/proposals", tags=["proposals"])

_Readers = Annotated[ApiKey, Depends(needing("finance", "auditor"))]
_Deciders = Annotated[ApiKey, Depends(needing("finance"))]


class ProposalShown(BaseModel):
    """A command that takes two people: what it is, who proposed it, and what became of it."""

    proposal: Code
    kind: str = Field(examples=["refund"])
    summary: str
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    outcome: Outcome
    decided_by: str | None


class Approval(Body):
    """Who approves: another than proposed it."""

    operator: Code


class Decision(BaseModel):
    """What was decided, and where it stands in the ledger."""

    proposal: str
    outcome: Literal["approved", "rejected"]
    position: int
    is_repeat: bool = Field(description="Whether the same person had approved it before.")


@router.get("", responses=responses(401, 403, 422, 429))
def list_proposals(
    services: AnyService,
    _key: _Readers,
    limit: Limit = 100,
    cursor: CodeCursor = "",
    only_open: Annotated[bool, Query(alias="open", description="Only what waits for somebody still.")] = False,
) -> Page[ProposalShown]:
    """List proposals by code, as far as events are projected."""
    with services.reading() as connection:
        rows = proposals(connection, now=services.now(), every=not only_open, after_=cursor, limit=limit + 1)
    return paged([_shown(row) for row in rows], limit=limit, key=lambda row: row.proposal)


@router.get("/{proposal}", responses=responses(401, 403, 404, 422, 429))
def show(proposal: ProposalInPath, services: AnyService, _key: _Readers) -> ProposalShown:
    """Tell a proposal, at the ledger's head."""
    state, now = proposal_of(services.ledger, proposal), services.now()
    made = state.made
    return ProposalShown(
        proposal=made.proposal,
        kind=kind_of(made),
        summary=summary_of(made),
        proposed_by=made.operator,
        proposed_at=made.recorded_at,
        expires_at=made.expires_at,
        outcome="expired" if state.outcome == "open" and state.is_over(now) else state.outcome,
        decided_by=state.decided_by or None,
    )


@router.post("/{proposal}/approvals", status_code=201, responses=responses(401, 403, 404, 409, 422, 429))
def approve_one(proposal: ProposalInPath, body: Approval, services: AnyService, _key: _Deciders) -> Decision:
    """Approve what another person proposed and carry it out; the same person again gets the first result."""
    booked = approve(services.ledger, proposal=proposal, operator=body.operator, now=services.now())
    return Decision(proposal=proposal, outcome="approved", position=booked.position, is_repeat=booked.is_repeat)


@router.post("/{proposal}/rejections", status_code=201, responses=responses(401, 403, 404, 409, 422, 429))
def reject_one(proposal: ProposalInPath, body: Order, services: AnyService, _key: _Deciders) -> Decision:
    """Reject a proposal, or take one's own back; nothing is carried out."""
    position = reject(
        services.ledger, proposal=proposal, operator=body.operator, reason=body.reason, now=services.now()
    )
    return Decision(proposal=proposal, outcome="rejected", position=position, is_repeat=False)


def _shown(row: ProposalRow) -> ProposalShown:
    return ProposalShown(
        proposal=row.proposal,
        kind=row.kind,
        summary=row.summary,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        expires_at=row.expires_at,
        outcome=row.outcome,
        decided_by=row.decided_by or None,
    )
