"""Relay orders: signed as they go over the wire, booked with everything that was signed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.domain.event import Event
from ledger.domain.relay import OrderIssued
from ledger.values.identity import order_id, relay_stream
from ledger.values.signing import OrderSigner
from ledger.wire import RelayCommand
from projections.decide import FOR_CREDIT, FOR_TIMETABLE, Decision
from projections.situation import Situation
from projections.switching import attempt_of, switched


@dataclass(frozen=True, slots=True)
class OrderBook:
    """Writes orders: with this signer, good for `lifetime`."""

    signer: OrderSigner
    lifetime: timedelta

    def events_of(self, situation: Situation, decision: Decision, *, now: datetime) -> list[Event]:
        """Return a decision as the next events of the supply's Relay stream."""
        stream = relay_stream(situation.supply)
        first = situation.switching.relay.version + 1
        facts = list(decision.facts)
        if decision.order is not None:
            facts.append(self._issued(situation, decision, sequence=first + len(facts), now=now))
        return [Event(stream, version, fact) for version, fact in enumerate(facts, first)]

    def _issued(self, situation: Situation, decision: Decision, *, sequence: int, now: datetime) -> OrderIssued:
        order, before = decision.order, situation.switching
        if order is None:
            raise AssertionError("a decision without an order has none to be issued")
        for fact in decision.facts:
            before = switched(before, fact)
        standing = situation.standing
        expires_at = now + self.lifetime
        ends = {FOR_CREDIT: standing.friendly_from, FOR_TIMETABLE: situation.off_until}.get(order.reason)
        if order.action == "open" and ends is not None:
            # It must not cut anybody whom nobody may cut any more.
            expires_at = min(expires_at, ends)
        command = self.signer.signed(
            RelayCommand(
                order=order_id(supply=situation.supply, sequence=sequence),
                sequence=sequence,
                concentrator=situation.concentrator,
                supply=situation.supply,
                meter=situation.meter,
                action=order.action,
                reason=order.reason,
                ledger_position=situation.ledger_position,
                issued_at=now,
                expires_at=expires_at,
            )
        )
        return OrderIssued(
            supply=command.supply,
            order=command.order,
            sequence=command.sequence,
            action=command.action,
            reason=command.reason,
            concentrator=command.concentrator,
            meter=command.meter,
            account=situation.account,
            balance_micros=standing.balance_micros,
            ledger_position=command.ledger_position,
            issued_at=command.issued_at,
            expires_at=command.expires_at,
            signature=command.signature,
            threshold_micros=standing.threshold_micros,
            reading_at=situation.reading_at,
            locks=tuple(sorted(before.relay.locks)),
            attempt=attempt_of(before, order.action),
            recorded_at=now,
        )
