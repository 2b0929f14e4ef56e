"""Whether a relay order may be carried out: signature, place, newness, clock and expiry, in this order."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from collectors.order_memory import OrderMemory
from collectors.site import Concentrator, Meter
from ledger import wire
from ledger.values.signing import OrderVerifier

# Two clocks kept by NTP differ by milliseconds; beyond this one of them is wrong, and expiry means nothing.
_CLOCK_TOLERANCE = timedelta(seconds=2)
# Reasons of orders that a protected supply is never opened for: nothing is left to its credit, or it is that time.
_NOT_IF_PROTECTED = ("no-credit", "locked-timetable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Carry the order out on this meter; `again` when a restart interrupted it before it had a result."""

    meter: Meter
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Do nothing; answer with this outcome, remembered for the order if it was accepted."""

    outcome: wire.RelayOutcome
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerAgain:
    """The order has its result already: answer with that."""

    result: wire.RelayResult


Verdict = Go | Answer | AnswerAgain


@dataclass(slots=True, kw_only=True)
class OrderDesk:
    """Judges the orders to one collector; what it accepts is on disk before anything is switched."""

    verifier: OrderVerifier
    memory: OrderMemory
    concentrators: tuple[Concentrator, ...]

    def judge(self, order: wire.RelayCommand, *, now: datetime) -> Verdict:
        """Decide what to do about an order to one of our concentrators."""
        if not self.verifier.is_authentic(order):
            return Answer(outcome="refused", detail="signature: not signed by the ledger's key; check the public key")
        meter = self._meter(order)
        if meter is None:
            return Answer(
                outcome="refused",
                detail=f"place: supply {order.supply} with meter {order.meter} is not on {order.concentrator} here",
            )
        self.memory.note_issued_at(order.issued_at)
        remembered = self.memory.find(order)
        if remembered is not None:
            return self._known(remembered.result, meter)
        return self._judge_new(order, meter, now)

    def _judge_new(self, order: wire.RelayCommand, meter: Meter, now: datetime) -> Verdict:
        highest = self.memory.highest_sequence(order.supply)
        if order.sequence <= highest:
            return Answer(
                outcome="superseded", detail=f"sequence {order.sequence} is not above {highest}, already accepted"
            )
        # Accepted from here on, whatever becomes of it: an older order must not win against a newer one.
        self.memory.accept(order)
        if now >= order.expires_at and not self._is_clock_behind(order, now):
            return Answer(
                outcome="expired", detail=f"expired at {order.expires_at.isoformat()}, it is {now.isoformat()}"
            )
        refusal = self._refusal(order, meter, now)
        return Go(meter=meter, again=False) if refusal is None else Answer(outcome="refused", detail=refusal)

    def _refusal(self, order: wire.RelayCommand, meter: Meter, now: datetime) -> str | None:
        """Say why an authentic, new order that has not expired is not carried out all the same."""
        newest = self.memory.newest_issued_at()
        if newest is not None and self._is_clock_behind(order, now):
            return _clocks(now, newest)
        if meter.protected and order.action == "open" and order.reason in _NOT_IF_PROTECTED:
            return f"protected: {order.supply} is never cut for credit, by this site's file"
        if order.issued_at < self.memory.begun_at - _CLOCK_TOLERANCE:
            # A memory that was lost may have obeyed it, and newer ones since.
            return (
                f"memory: signed at {order.issued_at.isoformat()}, what is remembered here begins at"
                f" {self.memory.begun_at.isoformat()}; a new order will be obeyed"
            )
        if meter.profile.relay is None:
            return f"profile: {meter.profile.name} has no relay"
        return None

    def _is_clock_behind(self, order: wire.RelayCommand, now: datetime) -> bool:
        newest = self.memory.newest_issued_at()
        return order.action == "open" and newest is not None and now < newest - _CLOCK_TOLERANCE

    def _known(self, result: wire.RelayResult | None, meter: Meter) -> Verdict:
        return Go(meter=meter, again=True) if result is None else AnswerAgain(result=result)

    def _meter(self, order: wire.RelayCommand) -> Meter | None:
        for concentrator in self.concentrators:
            for meter in concentrator.meters:
                if (concentrator.id, meter.supply, meter.serial) == (order.concentrator, order.supply, order.meter):
                    return meter
        return None


def _clocks(now: datetime, newest: datetime) -> str:
    """Name both clocks: which of them is wrong cannot be told from here."""
    return (
        f"clock: {now.isoformat()} at the edge, {newest.isoformat()} in the newest order signed; they differ by"
        f" {(newest - now).total_seconds():.0f} s, check both"
    )
