"""Relays: locks, orders and their outcomes, each order with the ledger position and figures that justify it.

A supply may be closed only when no lock is set, and where its site asks for it, when its consumer consented since.
Written inside the gate: locks by use cases and `control`, consents by use cases, orders by `control`, outcomes by the
relay-results agent.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant, RelayAction, RelayOutcome

LockCause = Literal["credit", "over-power", "safety", "maintenance", "tamper", "vacancy", "operator"]
Readback = Literal["open", "closed", "unknown"]

# A newest order that the edge calls superseded means that the edge knows more than this ledger: no machine should
# insist then, the relay stays as it is.
UNDONE: frozenset[RelayOutcome] = frozenset({"failed", "expired", "refused"})

# Whoever consents is there now, and their iron is off; hours later nobody may be.
CONSENT_LASTS = timedelta(minutes=15)


@fact_type("relay.low-balance-warned/1")
class LowBalanceWarned(Fact, frozen=True, kw_only=True):
    """The account of the supply fell below its site's warning threshold; amounts in micro-units."""

    supply: str
    account: str
    balance_micros: int
    threshold_micros: int
    ledger_position: int


@fact_type("relay.warning-cleared/1")
class WarningCleared(Fact, frozen=True, kw_only=True):
    """The account is above the warning threshold again, so that the next fall warns anew."""

    supply: str
    account: str
    balance_micros: int
    ledger_position: int


@fact_type("relay.lock-set/1")
class LockSet(Fact, frozen=True, kw_only=True):
    """A cause of being off now holds the supply; `balance_micros` justifies a credit lock.

    An operator's lock has a reason code and the operator's id instead; its balance and position are 0.
    """

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int
    reason: str = ""
    operator: str = ""


@fact_type("relay.lock-cleared/1")
class LockCleared(Fact, frozen=True, kw_only=True):
    """A cause of being off no longer holds the supply; an operator's comes with a reason code and their id."""

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int
    reason: str = ""
    operator: str = ""


@fact_type("relay.close-consented/1")
class CloseConsented(Fact, frozen=True, kw_only=True):
    """The consumer consents to being switched on, once, and told so through a channel."""

    supply: str
    account: str
    channel: str


@fact_type("relay.order-issued/1")
class OrderIssued(Fact, frozen=True, kw_only=True):
    """An order to the relay, as it was signed; its sequence is its version in this stream.

    `ledger_position` is the head of the ledger that the decision was taken at, `balance_micros` the account's balance
    there.
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

    def has_consent(self, now: datetime) -> bool:
        """Tell whether the consumer consented to a closing that has not come about yet, lately."""
        return self.consented_at is not None and now < self.consented_at + CONSENT_LASTS

    def is_to_be_closed(self, now: datetime) -> bool:
        """Tell whether there is something to close: an order has it open, or the one to close it came to nothing."""
        if self.desired == "open" or self.order is None:
            return self.desired == "open"
        return now >= self.order.expires_at if self.order_outcome is None else self.order_outcome in UNDONE


def evolve(relay: Relay, fact: Fact) -> Relay:
    """Apply a fact of the stream; validation was done before it was recorded."""
    relay = replace(relay, version=relay.version + 1)
    match fact:
        case LowBalanceWarned() | WarningCleared():
            return replace(relay, warned=isinstance(fact, LowBalanceWarned))
        case LockSet():
            return replace(relay, locks=relay.locks | {fact.cause}, consented_at=None)
        case LockCleared():
            return replace(relay, locks=relay.locks - {fact.cause}, consented_at=None)
        case CloseConsented():
            return replace(relay, consented_at=fact.recorded_at)
        case OrderIssued():
            return _ordered(relay, fact)
        case OrderConcluded():
            return _concluded(relay, fact)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a relay stream")


def _ordered(relay: Relay, order: OrderIssued) -> Relay:
    """A consent lives on until its closing is confirmed, so that an order lost on its way can be repeated."""
    if order.action == "open":
        return replace(relay, desired="open", order=order, order_outcome=None, consented_at=None)
    return replace(relay, desired="closed", order=order, order_outcome=None)


def _concluded(relay: Relay, fact: OrderConcluded) -> Relay:
    """A result of an order that a newer one has replaced tells nothing of the relay's state any more."""
    if relay.order is None or fact.sequence != relay.order.sequence:
        return relay
    actual = fact.readback if fact.readback != "unknown" else relay.actual
    consented_at = None if fact.outcome == "confirmed" else relay.consented_at
    return replace(relay, actual=actual, order_outcome=fact.outcome, consented_at=consented_at)
