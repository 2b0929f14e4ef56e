"""Commands that need two people: proposed by one, approved or rejected by another, or never decided (four eyes)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant

Outcome = Literal["open", "approved", "rejected", "expired"]


@fact_type("proposal.made/1")
class ProposalMade(Fact, frozen=True, kw_only=True):
    """A command waits for a second person until `expires_at`.

    `command` is the command as it will be carried out (its `kind` and its arguments), `key_hash` the SHA-256 of the
    caller's idempotency key, `why` the limit or the rule that asks for two people.
    """

    proposal: str
    command: dict[str, str | int]
    reason: str
    operator: str
    key_hash: str
    why: str
    expires_at: Instant


@fact_type("proposal.approved/1")
class ProposalApproved(Fact, frozen=True, kw_only=True):
    """Another person approved; the command's own events are in the same transaction."""

    proposal: str
    operator: str


@fact_type("proposal.rejected/1")
class ProposalRejected(Fact, frozen=True, kw_only=True):
    """Somebody said no, the proposer perhaps, with a reason code; nothing was done."""

    proposal: str
    operator: str
    reason: str


@fact_type("proposal.expired/1")
class ProposalExpired(Fact, frozen=True, kw_only=True):
    """Nobody decided in time; found when somebody tried to."""

    proposal: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as its events leave it."""

    made: ProposalMade
    outcome: Outcome = "open"
    decided_by: str = ""

    def is_over(self, now: datetime) -> bool:
        """Tell whether its time is over."""
        return now >= self.made.expires_at


def evolve(proposal: Proposal | None, fact: Fact) -> Proposal:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, ProposalMade):
        return Proposal(fact)
    if proposal is None:
        raise AssertionError(f"a proposal's stream begins with its making, not with {fact}")
    match fact:
        case ProposalApproved():
            return replace(proposal, outcome="approved", decided_by=fact.operator)
        case ProposalRejected():
            return replace(proposal, outcome="rejected", decided_by=fact.operator)
        case ProposalExpired():
            return replace(proposal, outcome="expired")
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a proposal's stream")
