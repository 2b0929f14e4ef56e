"""Four eyes: a command proposed by one person waits until another approves it; the approval carries it out."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ledger.domain import proposal as proposal_stream_of
from ledger.domain.event import Event, Fact
from ledger.domain.proposal import Proposal, ProposalApproved, ProposalExpired, ProposalMade, ProposalRejected
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.store.standing import Standing
from ledger.usecases.attempt import Booked, appended, appended_on_standing, checked_key
from ledger.usecases.codes import checked_code
from ledger.usecases.money.attempt import Attempt, By, MoneyCommand
from ledger.usecases.money.carrying_out import decide_checked
from ledger.usecases.money.commands import AnyMoneyCommand
from ledger.usecases.tariffs import Deciders, checked_tariff, publish
from ledger.values.errors import Conflict, NotFound, Refused
from ledger.values.identity import proposal_stream
from ledger.values.instants import parse_instant

LASTS = timedelta(days=7)


class PublishTariff(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="publish-tariff"):
    """Publish a tariff file's text as the next version, from an instant on (ISO 8601)."""

    text: str
    effective_from: str
    note: str


Proposable = AnyMoneyCommand | PublishTariff


def propose(ledger: Ledger, command: MoneyCommand | PublishTariff, *, by: By, why: str) -> Proposal:
    """Propose a command; the same key with the same content returns the first proposal, whatever became of it.

    Raises Conflict for a key that came with other content, and what is wrong with the command itself.
    """
    by.check()
    made = _made(command, by, why)
    stream = proposal_stream(made.proposal)
    if isinstance(command, PublishTariff):
        checked_tariff(command.text)
    else:
        command.accounts(ledger)

    def decide() -> Sequence[Event]:
        earlier, version = ledger.folded(stream, proposal_stream_of.evolve, None)
        if earlier is not None:
            _check_same(earlier.made, made)
            return []
        return [Event(stream, version + 1, made)]

    appended(ledger, decide)
    return proposal_of(ledger, made.proposal)


def earlier_proposal(ledger: Ledger, command: MoneyCommand | PublishTariff, *, by: By) -> Proposal | None:
    """Return what was proposed with this key before; None where nothing was.

    Asked before the command is tried again: what it was decided on may have changed, not that it was decided. Raises
    Conflict for a key that came with other content.
    """
    made = _made(command, by, why="")
    state: Proposal | None = ledger.folded(proposal_stream(made.proposal), proposal_stream_of.evolve, None)[0]
    if state is not None:
        _check_same(state.made, made)
    return state


def proposal_of(ledger: Ledger, proposal: str) -> Proposal:
    """Return a proposal; raises NotFound."""
    state: Proposal | None = ledger.folded(proposal_stream(proposal), proposal_stream_of.evolve, None)[0]
    if state is None:
        raise NotFound(f"there is no proposal {proposal!r}; `wattledger proposals list` shows those that wait")
    return state


def approve(ledger: Ledger, *, proposal: str, operator: str, now: datetime) -> Booked:
    """Approve a proposal and carry it out, in one transaction; return where its effect stands.

    Approved again by the same person it returns the first result. Raises Refused to its proposer, for one that is
    decided or whose time is over, and what the command is refused for now.
    """
    checked_code(operator, what="operator")
    made = proposal_of(ledger, proposal).made
    key = Command(key=f"proposal/{proposal}", content={"proposal": proposal, "operator": operator})
    by = By(
        operator=made.operator,
        reason=made.reason,
        key=proposal,
        now=now,
        approved_by=operator,
        proposal=proposal,
        proposed_key_hash=made.key_hash,
    )
    command: Any = msgspec.convert(made.command, Proposable)

    def approval() -> list[Event]:
        return [_decision(ledger, proposal, ProposalApproved(proposal=proposal, operator=operator, recorded_at=now))]

    if ledger.earlier(key) is None:
        _check_open(ledger, proposal, operator, now)
    if isinstance(command, PublishTariff):
        deciders = Deciders(
            proposed_by=made.operator, approved_by=operator, proposal=proposal, command=key, beside=approval
        )
        effective_from = parse_instant(command.effective_from)
        return publish(
            ledger, text=command.text, effective_from=effective_from, note=command.note, now=now, deciders=deciders
        ).booked
    accounts = command.accounts(ledger)

    def decide(standing: Standing) -> Sequence[Event]:
        attempt = Attempt(ledger, by, standing, events=approval())
        decide_checked(attempt, command, accounts[0])
        return attempt.events

    return appended_on_standing(ledger, decide, accounts=accounts, command=key)


def reject(ledger: Ledger, *, proposal: str, operator: str, reason: str, now: datetime) -> int:
    """Reject a proposal, or take one's own back, with a reason code; return the position.

    Raises Refused for one that is decided or whose time is over.
    """
    checked_code(operator, what="operator")
    checked_code(reason, what="reason")
    _check_open(ledger, proposal, "", now)
    fact = ProposalRejected(proposal=proposal, operator=operator, reason=reason, recorded_at=now)
    return appended(ledger, lambda: [_decision(ledger, proposal, fact)])


def _made(command: MoneyCommand | PublishTariff, by: By, why: str) -> ProposalMade:
    content: dict[str, str | int] = msgspec.to_builtins(command)
    kind = str(content["kind"])
    digest = hashlib.sha256(f"{kind}/{checked_key(by.key)}".encode()).hexdigest()
    return ProposalMade(
        proposal=f"{kind}-{digest[:10]}",
        command=content,
        reason=by.reason,
        operator=by.operator,
        key_hash=by.key_hash,
        why=why,
        expires_at=by.now + LASTS,
        recorded_at=by.now,
    )


def _check_same(earlier: ProposalMade, made: ProposalMade) -> None:
    before = earlier.command | {"reason": earlier.reason, "operator": earlier.operator}
    now = made.command | {"reason": made.reason, "operator": made.operator}
    differences = "; ".join(
        f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
        for name in sorted(before | now)
        if before.get(name) != now.get(name)
    )
    if differences:
        raise Conflict(
            f"the key of proposal {made.proposal!r} was used before with other content ({differences});"
            " use a new key for a new command",
            differences=differences,
        )


def _check_open(ledger: Ledger, proposal: str, approver: str, now: datetime) -> None:
    state = proposal_of(ledger, proposal)
    if state.outcome != "open":
        who = f" by {state.decided_by!r}" if state.decided_by else ""
        raise Refused(f"proposal {proposal!r} is {state.outcome} already{who}; propose anew under a new key")
    if state.is_over(now):
        fact = ProposalExpired(proposal=proposal, recorded_at=now)
        appended(ledger, lambda: [_decision(ledger, proposal, fact)])
        raise Refused(
            f"proposal {proposal!r} waited until {state.made.expires_at.isoformat()} and is over;"
            " propose anew under a new key"
        )
    if approver == state.made.operator:
        raise Refused(f"{approver!r} cannot approve what they proposed themselves; let another person do it")


def _decision(ledger: Ledger, proposal: str, fact: Fact) -> Event:
    """Return the event that decides on a proposal; raises Refused where it is decided already."""
    stream = proposal_stream(proposal)
    state, version = ledger.folded(stream, proposal_stream_of.evolve, None)
    if state is None or state.outcome != "open":
        what = "not there" if state is None else f"{state.outcome} already"
        raise Refused(f"proposal {proposal!r} is {what}; nothing was done")
    return Event(stream, version + 1, fact)
