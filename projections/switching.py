"""A relay's history as decisions need it: the domain's relay, and how often in a row the same end was tried."""

from dataclasses import dataclass, replace

from ledger.domain.event import Fact
from ledger.domain.relay import OrderConcluded, OrderIssued, Readback, Relay, evolve
from ledger.wire import RelayAction


@dataclass(frozen=True, slots=True)
class Switching:
    """A relay with its tries and its confirmed switchings.

    `readback` is the relay as it was read for the newest order; unlike `relay.actual`, never older than that order.
    `attempts` counts orders in a row for the same action that no confirmation ended, the newest included.
    """

    relay: Relay
    readback: Readback = "unknown"
    attempts: int = 0
    disconnections: int = 0
    reconnections: int = 0


def attempt_of(switching: Switching, action: RelayAction) -> int:
    """Return which one in a row an order for this end would be, 1 where the last one was for another or confirmed."""
    before = switching.relay
    again = before.order is not None and before.order.action == action
    return switching.attempts + 1 if again and before.order_outcome != "confirmed" else 1


def switched(switching: Switching, fact: Fact) -> Switching:
    """Apply the next fact of the Relay stream."""
    before, relay = switching.relay, evolve(switching.relay, fact)
    match fact:
        case OrderIssued():
            attempts = attempt_of(switching, fact.action)
            return replace(switching, relay=relay, readback="unknown", attempts=attempts)
        case OrderConcluded() if before.order is not None and before.order.sequence == fact.sequence:
            return _counted(replace(switching, relay=relay, readback=fact.readback), before)
        case _:
            return replace(switching, relay=relay)


def _counted(switching: Switching, before: Relay) -> Switching:
    """Count a confirmation once, however often it is told."""
    relay = switching.relay
    if relay.order is None or relay.order_outcome != "confirmed" or before.order_outcome == "confirmed":
        return switching
    if relay.order.action == "open":
        return replace(switching, disconnections=switching.disconnections + 1)
    return replace(switching, reconnections=switching.reconnections + 1)
