"""Relays: locks, orders and their outcomes, each order with the ledger position and figures that justify it.

A supply may be closed only when no lock is set, and where its site asks for it, when its consumer consented since.
Written inside the gate: locks by use cases and `control`, consents by use cases, orders by `control`, outcomes by the
relay-results agent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import msgspec

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant, RelayAction, RelayOutcome

LockCause = Literal["credit", "over-power", "safety", "maintenance", "tamper", "vacancy", "operator", "timetable"]
# The causes that people set and clear; `control` sets and clears the others by what the ledger says.
SET_BY_PEOPLE: tuple[LockCause, ...] = ("over-power", "safety", "maintenance", "tamper", "vacancy", "operator")
GraceCause = Literal["catch-up", "correction", "tariff-change", "policy-change"]
Readback = Literal["open", "closed", "unknown"]

# A newest order that the edge calls superseded means that the edge knows more than this ledger: no machine should
# insist then, the relay stays as it is.
UNDONE: frozenset[RelayOutcome] = frozenset({"failed", "expired", "refused"})

# What an operator who forces a supply on has not count; the other causes are about people's safety, or evidence.
MASKED = frozenset({"credit", "timetable"})

# Whoever consents is there now, and their iron is off; hours later nobody may be.
CONSENT_LASTS = timedelta(minutes=15)


@fact_type("relay.low-balance-warned/1")
class LowBalanceWarned(Fact, frozen=True, kw_only=True):
    """The account of the supply fell below a warning threshold; amounts in micro-units, levels from 1 downwards."""

    supply: str
    account: str
    balance_micros: int
    threshold_micros: int
    ledger_position: int
    level: int = 1


@fact_type("relay.warning-cleared/1")
class WarningCleared(Fact, frozen=True, kw_only=True):
    """The account is above the warning threshold again, so that the next fall warns anew.

    `level` is the warning that still stands, 0 where there is none.
    """

    supply: str
    account: str
    balance_micros: int
    ledger_position: int
    level: int = 0


@fact_type("relay.lock-set/1")
class LockSet(Fact, frozen=True, kw_only=True):
    """A cause of being off now holds the supply.

    A credit lock is justified by what was usable (`balance_micros`, what is disputed given back) at or below
    `threshold_micros`, a reading at `reading_at` and a warning at `warned_at`; `crossed_at` is the position of the
    event that crossed the line. A lock that people set has a reason code and the operator's id instead, and perhaps
    an end; its balance and position are 0.
    """

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int
    reason: str = ""
    operator: str = ""
    until: Instant | None = None
    site: str = ""
    threshold_micros: int = 0
    reading_at: Instant | None = None
    warned_at: Instant | None = None
    crossed_at: int = 0


@fact_type("relay.lock-cleared/1")
class LockCleared(Fact, frozen=True, kw_only=True):
    """A cause of being off no longer holds the supply; one that people clear comes with a reason code and their id.

    `approved_by` is the second person, where whoever clears it is not who set it and that needs two.
    """

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int
    reason: str = ""
    operator: str = ""
    approved_by: str = ""
    proposal: str = ""


@fact_type("relay.close-consented/1")
class CloseConsented(Fact, frozen=True, kw_only=True):
    """The consumer consents to being switched on, once, and told so through a channel.

    One that comes `with_top_up` is given to what the top-up brings about, so it outlives the credit lock.
    """

    supply: str
    account: str
    channel: str
    with_top_up: bool = False


@fact_type("relay.grace-begun/1")
class GraceBegun(Fact, frozen=True, kw_only=True):
    """Something else than usage as it happens crossed the line: nobody is cut for it before `until`.

    `crossed_at` is the position of the event that did; amounts in micro-units.
    """

    supply: str
    account: str
    cause: GraceCause
    crossed_at: int
    until: Instant
    balance_micros: int
    threshold_micros: int
    ledger_position: int


@fact_type("relay.grace-extended/1")
class GraceExtended(Fact, frozen=True, kw_only=True):
    """Nothing is heard from the site: grace lasts longer by the outage, as far as it has lasted at `counted_to`."""

    supply: str
    until: Instant
    silent_since: Instant
    counted_to: Instant


@fact_type("relay.forced-on/1")
class ForcedOn(Fact, frozen=True, kw_only=True):
    """Until `until` neither credit nor a timetable keeps the supply off; an operator says so, with a reason code."""

    supply: str
    account: str
    reason: str
    operator: str
    until: Instant


@fact_type("relay.forcing-ended/1")
class ForcingEnded(Fact, frozen=True, kw_only=True):
    """The supply is no longer forced on: an operator said so before its time was over."""

    supply: str
    reason: str
    operator: str


@fact_type("relay.order-issued/1")
class OrderIssued(Fact, frozen=True, kw_only=True):
    """An order to the relay, as it was signed; its sequence is its version in this stream.

    `ledger_position` is the head of the ledger that the decision was taken at, `balance_micros` the account's balance
    there, `threshold_micros` the line at which it may be cut, `reading_at` when its meter was last read. `locks` hold
    the supply then; `attempt` counts orders in a row for the same end.
    """

    supply: str
    order: UUID
    sequence: int
    action: RelayAction
    reason: str
    concentrator: str
    meter: str
    account: str
    balance_micros: int
    ledger_position: int
    issued_at: Instant
    expires_at: Instant
    signature: str
    threshold_micros: int = 0
    reading_at: Instant | None = None
    locks: tuple[str, ...] = ()
    attempt: int = 1


@fact_type("relay.order-concluded/1")
class OrderConcluded(Fact, frozen=True, kw_only=True):
    """What became of an order at the edge; `readback` is the relay as it was read."""

    supply: str
    order: UUID
    sequence: int
    outcome: RelayOutcome
    readback: Readback
    concluded_at: Instant
    detail: str = ""


class Held(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A lock that stands: who set it, when and why, and when it ends by itself."""

    cause: str
    since: Instant
    operator: str = ""
    reason: str = ""
    until: Instant | None = None


class Memory(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What decisions need of a relay's past beside its state.

    `warned_at` is the first warning since there was none; `grace_for` the position of what crossed the line.
    `counted_to` is how far an outage has extended the grace. `resumes`: a timetable took the supply off that was on.
    """

    held: tuple[Held, ...] = ()
    warned_level: int = 0
    warned_at: Instant | None = None
    cut_at: Instant | None = None
    closed_at: Instant | None = None
    grace_until: Instant | None = None
    grace_for: int = 0
    counted_to: Instant | None = None
    forced_on_until: Instant | None = None
    resumes: bool = False
    consent_stays: bool = False


NOTHING = Memory()


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay as its events leave it: what is wanted, what was last read, which causes hold it open.

    `consented_at` is the consumer's consent since, until it is used: it ends with the confirmed closing, and with
    whatever comes between, for it was given to another situation.
    """

    supply: str
    desired: Literal["open", "closed"] = "closed"
    actual: Readback = "unknown"
    locks: frozenset[str] = frozenset()
    warned: bool = False
    order: OrderIssued | None = None
    order_outcome: RelayOutcome | None = None
    consented_at: datetime | None = None
    version: int = 0
    memory: Memory = NOTHING

    def has_consent(self, now: datetime) -> bool:
        """Tell whether the consumer consented to a closing that has not come about yet, lately."""
        return self.consented_at is not None and now < self.consented_at + CONSENT_LASTS

    def is_to_be_closed(self, now: datetime) -> bool:
        """Tell whether there is something to close: an order has it open, or the one to close it came to nothing."""
        if self.desired == "open" or self.order is None:
            return self.desired == "open"
        return now >= self.order.expires_at if self.order_outcome is None else self.order_outcome in UNDONE

    def is_forced_on(self, now: datetime) -> bool:
        """Tell whether an operator has neither credit nor a timetable count for now."""
        return self.memory.forced_on_until is not None and now < self.memory.forced_on_until

    def holding(self, now: datetime) -> frozenset[str]:
        """Return the locks that keep the supply off now."""
        return self.locks - MASKED if self.is_forced_on(now) else self.locks

    def held_for(self, cause: str) -> Held | None:
        """Return the standing lock of a cause."""
        return next((held for held in self.memory.held if held.cause == cause), None)


def evolve(relay: Relay, fact: Fact) -> Relay:  # noqa: C901, PLR0911 - a case per fact
    """Apply a fact of the stream; validation was done before it was recorded."""
    relay = replace(relay, version=relay.version + 1)
    match fact:
        case LowBalanceWarned() | WarningCleared():
            return _warned(relay, fact)
        case LockSet():
            return _locked(relay, fact)
        case LockCleared():
            return _cleared(relay, fact)
        case CloseConsented():
            relay = replace(relay, consented_at=fact.recorded_at)
            return _remembering(relay, consent_stays=fact.with_top_up)
        case GraceBegun():
            return _remembering(relay, grace_until=fact.until, grace_for=fact.crossed_at, counted_to=None)
        case GraceExtended():
            return _remembering(relay, grace_until=fact.until, counted_to=fact.counted_to)
        case ForcedOn():
            return _remembering(relay, forced_on_until=fact.until)
        case ForcingEnded():
            return _remembering(relay, forced_on_until=None)
        case OrderIssued():
            return _ordered(relay, fact)
        case OrderConcluded():
            return _concluded(relay, fact)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a relay stream")


def _remembering(relay: Relay, **changes: Any) -> Relay:
    return replace(relay, memory=msgspec.structs.replace(relay.memory, **changes))


def _warned(relay: Relay, fact: LowBalanceWarned | WarningCleared) -> Relay:
    first = relay.memory.warned_at or fact.recorded_at
    relay = _remembering(relay, warned_level=fact.level, warned_at=first if fact.level else None)
    return replace(relay, warned=fact.level > 0)


def _locked(relay: Relay, fact: LockSet) -> Relay:
    held = Held(fact.cause, fact.recorded_at, fact.operator, fact.reason, fact.until)
    others = tuple(row for row in relay.memory.held if row.cause != fact.cause)
    was_on = relay.desired == "closed" and not relay.locks
    relay = _remembering(
        relay,
        held=tuple(sorted((*others, held), key=lambda row: row.cause)),
        cut_at=fact.recorded_at if fact.cause == "credit" else relay.memory.cut_at,
        resumes=was_on and fact.cause == "timetable",
        consent_stays=False,
    )
    return replace(relay, locks=relay.locks | {fact.cause}, consented_at=None)


def _cleared(relay: Relay, fact: LockCleared) -> Relay:
    stays = relay.memory.consent_stays and fact.cause == "credit"
    held = tuple(row for row in relay.memory.held if row.cause != fact.cause)
    relay = _remembering(relay, held=held, consent_stays=stays)
    return replace(relay, locks=relay.locks - {fact.cause}, consented_at=relay.consented_at if stays else None)


def _ordered(relay: Relay, order: OrderIssued) -> Relay:
    """A consent lives on until its closing is confirmed, so that an order lost on its way can be repeated."""
    if order.action == "open":
        return replace(relay, desired="open", order=order, order_outcome=None, consented_at=None)
    relay = _remembering(relay, closed_at=order.issued_at)
    return replace(relay, desired="closed", order=order, order_outcome=None)


def _concluded(relay: Relay, fact: OrderConcluded) -> Relay:
    """A result of an order that a newer one has replaced tells nothing of the relay's state any more."""
    if relay.order is None or fact.sequence != relay.order.sequence:
        return relay
    actual = fact.readback if fact.readback != "unknown" else relay.actual
    consented_at = None if fact.outcome == "confirmed" else relay.consented_at
    if fact.outcome == "confirmed" and relay.order.action == "close":
        relay = _remembering(relay, resumes=False, consent_stays=False)
    return replace(relay, actual=actual, order_outcome=fact.outcome, consented_at=consented_at)
