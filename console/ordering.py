"""How a command on money is given from the command line: carried out, or proposed where it takes two people."""

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from console.connection import opened_ledger
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import By, MoneyCommand
from ledger.usecases.money.ordering import order
from ledger.usecases.money.proposals import PublishTariff, propose

if TYPE_CHECKING:
    from ledger.domain.proposal import Proposal
    from ledger.store.application import Ledger


def given_by(*, operator: str, reason: str, key: str | None, approved_by: str = "") -> By:
    """Return who orders something now; without a key it gets a new one."""
    return By(
        operator=operator,
        reason=reason,
        key=str(uuid4()) if key is None else key,
        now=datetime.now(UTC),
        approved_by=approved_by,
    )


def ordered(command: MoneyCommand, *, by: By) -> str:
    """Carry a command out, or propose it where another person has to approve it; return what to tell."""
    with opened_ledger(os.environ) as ledger:
        outcome = order(ledger, command, by=by)
    if not isinstance(outcome, Booked):
        return _told(outcome, by, outcome.made.why)
    what = "was booked before, nothing changed" if outcome.is_repeat else "booked"
    return f"{command.kind}: {what} (position {outcome.position}, key {by.key})"


def proposed(ledger: "Ledger", command: MoneyCommand | PublishTariff, *, by: By, why: str) -> str:
    """Propose a command and return what to tell: what it waits for, or what became of it."""
    proposal = propose(ledger, command, by=by, why=why)
    return _told(proposal, by, why)


def _told(proposal: "Proposal", by: By, why: str) -> str:
    code = proposal.made.proposal
    if proposal.outcome != "open":
        who = f" by {proposal.decided_by}" if proposal.decided_by else ""
        return f"proposal {code} was made with this key before, and is {proposal.outcome}{who}"
    return (
        f"{why}\nproposed as {code} (key {by.key}); until {proposal.made.expires_at:%Y-%m-%d %H:%M} UTC:\n"
        f"  wattledger proposals approve {code} --operator SOMEBODY_ELSE"
    )
