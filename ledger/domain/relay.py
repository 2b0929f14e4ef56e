"""Relays: locks, orders and their outcomes, each order with the ledger position and figures that justify it.

A supply may be closed only when no lock is set. Written inside the gate: locks by use cases and `control`, orders by
`control`, outcomes by the relay-results agent.
"""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from ledger.domain.event import Fact, fact_type
from ledger.wire import Instant, RelayAction, RelayOutcome

LockCause = Literal["credit", "over-power", "safety", "maintenance", "tamper", "vacancy", "operator"]
Readback = Literal["open", "closed", "unknown"]


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
    """A cause of being off now holds the supply; `balance_micros` justifies a credit lock."""

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int


@fact_type("relay.lock-cleared/1")
class LockCleared(Fact, frozen=True, kw_only=True):
    """A cause of being off no longer holds the supply."""

    supply: str
    cause: LockCause
    account: str
    balance_micros: int
    ledger_position: int


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
    """A relay as its events leave it: what is wanted, what was last read, which causes hold it open."""

    supply: str
    desired: Literal["open", "closed"] = "closed"
    actual: Readback = "unknown"
    locks: frozenset[str] = frozenset()
    warned: bool = False
    order: OrderIssued | None = None
    order_outcome: RelayOutcome | None = None
    version: int = 0


def evolve(relay: Relay, fact: Fact) -> Relay:
    """Apply a fact of the stream; validation was done before it was recorded."""
    relay = replace(relay, version=relay.version + 1)
    match fact:
        case LowBalanceWarned():
            return replace(relay, warned=True)
        case WarningCleared():
            return replace(relay, warned=False)
        case LockSet():
            return replace(relay, locks=relay.locks | {fact.cause})
        case LockCleared():
            return replace(relay, locks=relay.locks - {fact.cause})
        case OrderIssued():
            desired: Literal["open", "closed"] = "open" if fact.action == "open" else "closed"
            return replace(relay, desired=desired, order=fact, order_outcome=None)
        case OrderConcluded():
            return _concluded(relay, fact)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a relay stream")


def _concluded(relay: Relay, fact: OrderConcluded) -> Relay:
    """A result of an order that a newer one has replaced tells nothing of the relay's state any more."""
    if relay.order is None or fact.sequence != relay.order.sequence:
        return relay
    actual = fact.readback if fact.readback != "unknown" else relay.actual
    return replace(relay, actual=actual, order_outcome=fact.outcome)
