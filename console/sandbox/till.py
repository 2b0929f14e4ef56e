"""What the sandbox has charged: once per idempotency key, whatever is asked how often."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from console.payments.signed_json import ChargeAnswer, ChargeRequest, Delivery
from console.sandbox.tokens import TOKENS, UNKNOWN, Conduct
from ledger.values.errors import Conflict
from ledger.values.money import micros_from_text, text_from_micros

# A fee as providers take one: so much of a payment, in hundredths.
_FEE_PERCENT = 1


@dataclass(frozen=True, slots=True)
class Taken:
    """A charge under its key: as it was asked for, what it is answered, and what is told of it."""

    request: ChargeRequest
    answer: ChargeAnswer
    conduct: Conduct
    news: tuple[Delivery, ...]


@dataclass(slots=True)
class SandboxTill:
    """Takes charges; kept in memory, and forgotten when the sandbox ends."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    taken: dict[str, Taken] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: ChargeRequest) -> tuple[Taken, bool]:
        """Return the charge under the request's key, and whether it is new; raises Conflict for other content."""
        with self._lock:
            earlier = self.taken.get(request.key)
            if earlier is not None and earlier.request != request:
                raise Conflict(f"key {request.key!r} was used for another charge; use a new one")
            if earlier is not None:
                return earlier, False
            taken = self.taken[request.key] = self._taken(request)
            return taken, True

    def charged(self) -> list[Taken]:
        """Return every charge that took money, in order."""
        with self._lock:
            return [one for one in self.taken.values() if one.answer.state != "failed" and not _fails(one.conduct)]

    def _taken(self, request: ChargeRequest) -> Taken:
        conduct = TOKENS.get(request.token, UNKNOWN)
        payment = f"pay_{len(self.taken) + 1}_{request.charge}"
        if conduct.answer == "failed":
            answer = ChargeAnswer(state="failed", payment=payment, why=conduct.why, may_retry=conduct.may_retry)
        else:
            is_pending = conduct.answer == "pending"
            answer = ChargeAnswer(
                state="pending" if is_pending else "succeeded", payment=payment, fee=_fee(request.amount)
            )
        return Taken(request, answer, conduct, tuple(self._news(request, conduct, payment)))

    def _news(self, request: ChargeRequest, conduct: Conduct, payment: str) -> Sequence[Delivery]:
        return [
            Delivery(
                id=f"{payment}-{number}",
                type=kind,
                payment=payment,
                amount=request.amount,
                currency=request.currency,
                at=self.now(),
                account=request.account,
                charge=request.charge,
                fee=_fee(request.amount) if kind == "succeeded" else "0",
                why=conduct.why if kind == "failed" else "",
            )
            for number, kind in enumerate(conduct.tells, start=1)
        ]


def _fails(conduct: Conduct) -> bool:
    return "failed" in conduct.tells


def _fee(amount: str) -> str:
    return text_from_micros(micros_from_text(amount) * _FEE_PERCENT // 100 // 10_000 * 10_000)


def as_json(taken: Sequence[Taken]) -> bytes:
    """Return charges as a JSON array, without tokens."""
    rows = [
        {
            "key": one.request.key,
            "charge": one.request.charge,
            "account": one.request.account,
            "amount": one.request.amount,
            "currency": one.request.currency,
            "payment": one.answer.payment,
        }
        for one in taken
    ]
    return msgspec.json.encode(rows)
