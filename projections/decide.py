"""The relay decision: from a balance, a site's settings and a relay's history to warnings, locks and an order.

Pure: no I/O, no clock. It is taken inside the gate, on figures as of the ledger's head (design I7).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.domain.event import Fact
from ledger.domain.relay import UNDONE, LockCleared, LockSet, LowBalanceWarned, WarningCleared
from ledger.domain.site import Reconnection
from ledger.wire import RelayAction
from projections.conditions import CLEAR, Condition
from projections.switching import Switching

CREDIT: Final = "credit"

FIRST_RETRY = timedelta(seconds=10)
LONGEST_RETRY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A supply as the ledger knows it at `ledger_position`; amounts in micro-units.

    `has_relay` is false where nothing at the edge could carry out an order. `is_barred`: the meter reads back another
    serial than its own, so an order to it would switch somebody else's supply.
    """

    supply: str
    concentrator: str
    meter: str
    has_relay: bool
    account: str
    balance_micros: int
    warning_balance_micros: int
    reconnection: Reconnection
    switching: Switching
    ledger_position: int
    condition: Condition = CLEAR
    is_barred: bool = False

    @property
    def usable_micros(self) -> int:
        """What the balance comes to with what is disputed given back, for as long as it is disputed."""
        return self.balance_micros + self.condition.disputed_micros


@dataclass(frozen=True, slots=True)
class Order:
    """What a relay shall do, and the code of why."""

    action: RelayAction
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from a situation: facts for the Relay stream, then an order to be signed, if any."""

    facts: tuple[Fact, ...]
    order: Order | None

    def __bool__(self) -> bool:
        return bool(self.facts) or self.order is not None


def decide(situation: Situation, *, now: datetime) -> Decision:
    """Decide on a supply."""
    facts = tuple(_warnings(situation, now))
    if not situation.has_relay or situation.is_barred:
        return Decision(facts, None)
    facts += tuple(_locks(situation, now))
    return Decision(facts, _order(situation, _locks_after(situation, now), now))


def retry_pause(attempts: int) -> timedelta:
    """Return how long after an order the next one for the same end may follow: doubling, bounded."""
    return min(FIRST_RETRY * (1 << min(max(attempts - 1, 0), 20)), LONGEST_RETRY)


def _warnings(situation: Situation, now: datetime) -> Iterator[Fact]:
    is_low = situation.usable_micros < situation.warning_balance_micros
    if is_low == situation.switching.relay.warned:
        return
    if is_low:
        yield LowBalanceWarned(
            supply=situation.supply,
            account=situation.account,
            balance_micros=situation.balance_micros,
            threshold_micros=situation.warning_balance_micros,
            ledger_position=situation.ledger_position,
            recorded_at=now,
        )
    else:
        yield WarningCleared(
            supply=situation.supply,
            account=situation.account,
            balance_micros=situation.balance_micros,
            ledger_position=situation.ledger_position,
            recorded_at=now,
        )


def _locks(situation: Situation, now: datetime) -> Iterator[Fact]:
    holds = _holds_for_credit(situation, now)
    if holds != (CREDIT in situation.switching.relay.locks):
        yield (LockSet if holds else LockCleared)(
            supply=situation.supply,
            cause=CREDIT,
            account=situation.account,
            balance_micros=situation.balance_micros,
            ledger_position=situation.ledger_position,
            recorded_at=now,
        )


def _holds_for_credit(situation: Situation, now: datetime) -> bool:
    """Tell whether the supply is to be off for credit.

    While something is disputed, or a notice runs, nobody is cut who is on; who is off stays off until there is
    credit, in which what is disputed counts.
    """
    if situation.usable_micros > 0:
        return False
    return CREDIT in situation.switching.relay.locks or not situation.condition.spares(now)


def _locks_after(situation: Situation, now: datetime) -> frozenset[str]:
    others = situation.switching.relay.locks - {CREDIT}
    return others | {CREDIT} if _holds_for_credit(situation, now) else others


def _order(situation: Situation, locks: frozenset[str], now: datetime) -> Order | None:
    relay = situation.switching.relay
    if locks:
        action: RelayAction = "open"
        reason = "no-credit" if CREDIT in locks else f"locked-{min(locks)}"
    elif situation.reconnection == "automatic":
        action = "close"
        reason = "topped-up" if CREDIT in relay.locks else "locks-clear"
    elif situation.reconnection == "confirm" and relay.has_consent(now):
        action = "close"
        reason = "consented"
    else:
        # Closing needs a person's consent here; what was wanted stays wanted.
        return None
    if relay.desired != ("open" if action == "open" else "closed"):
        return Order(action, reason)
    if relay.order is not None and _is_spent(situation.switching, now):
        return Order(action, relay.order.reason)
    return None


def _is_spent(switching: Switching, now: datetime) -> bool:
    """Tell whether the newest order did not bring about what it was for, and its pause is over."""
    relay = switching.relay
    if relay.order is None or now < relay.order.issued_at + retry_pause(switching.attempts):
        return False
    if relay.order_outcome is None:
        return now >= relay.order.expires_at
    return relay.order_outcome in UNDONE and switching.readback != relay.desired
