"""Relay orders: signed as they go over the wire, booked with everything that was signed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.domain.event import Event
from ledger.domain.relay import OrderIssued
from ledger.values.identity import order_id, relay_stream
from ledger.values.signing import OrderSigner
from ledger.wire import RelayCommand
from projections.decide import Decision, Order, Situation


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
            facts.append(self._issued(situation, decision.order, sequence=first + len(facts), now=now))
        return [Event(stream, version, fact) for version, fact in enumerate(facts, first)]

    def _issued(self, situation: Situation, order: Order, *, sequence: int, now: datetime) -> OrderIssued:
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
                expires_at=now + self.lifetime,
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
            balance_micros=situation.balance_micros,
            ledger_position=command.ledger_position,
            issued_at=command.issued_at,
            expires_at=command.expires_at,
            signature=command.signature,
            recorded_at=now,
        )
