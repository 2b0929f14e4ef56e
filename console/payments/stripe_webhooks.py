"""Stripe's webhooks: what its events tell of payments. Everything is told of a PaymentIntent, whose id is `payment`.

Whoever makes the PaymentIntent writes the account's code in its metadata as `account`. Stripe tells its fee for a
payment in no event; of a dispute it does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import stripe

from console.payments.port import WINDOW_S, NotGenuine, PaymentEvent, code_or_nothing, provider_id, why_code
from console.payments.stripe_amounts import micros_from_stripe
from ledger.usecases.codes import checked_currency
from ledger.usecases.money.payments import News
from ledger.values.errors import InvalidValue

SIGNATURE = "stripe-signature"


class _Kind(msgspec.Struct, frozen=True):
    type: str = ""


class _Previous(msgspec.Struct, frozen=True):
    amount_refunded: int = 0


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw
    previous_attributes: _Previous = _Previous()


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    created: int
    data: _Data


class _Failure(msgspec.Struct, frozen=True):
    code: str | None = None
    decline_code: str | None = None


class _Intent(msgspec.Struct, frozen=True):
    id: str
    amount: int
    currency: str
    amount_received: int = 0
    metadata: dict[str, str] = {}
    last_payment_error: _Failure | None = None
    cancellation_reason: str | None = None


class _BalanceTransaction(msgspec.Struct, frozen=True):
    amount: int
    fee: int
    currency: str


class _Subject(msgspec.Struct, frozen=True):
    """A charge, a refund or a dispute, as far as they are alike; one without a PaymentIntent stands for itself."""

    id: str
    amount: int
    currency: str
    charge: str | None = None
    payment_intent: str | None = None
    amount_refunded: int = 0
    status: str = ""
    balance_transactions: list[_BalanceTransaction] = []

    @property
    def payment(self) -> str:
        return self.payment_intent or self.charge or self.id


@dataclass(frozen=True, slots=True)
class StripeWebhooks:
    """Reads Stripe's events; `secrets` are the endpoint's, of which any may have signed."""

    secrets: Sequence[str] = field(repr=False)

    def events_of(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[PaymentEvent]:
        """Return the news in an event, none where it is of no payment; see `port.Webhooks`."""
        self._check(body, headers.get(SIGNATURE, ""), now=now)
        try:
            read = READERS.get(msgspec.json.decode(body, type=_Kind).type)
            if read is None:
                return []
            told = read(msgspec.json.decode(body, type=_Event))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidValue(f"the event is Stripe's, but cannot be read: {error}; see docs/payments.md") from None
        return [] if told is None else [told]

    def _check(self, body: bytes, header: str, *, now: datetime) -> None:
        if not any(_is_signed(body, header, secret) for secret in self.secrets):
            raise NotGenuine("the Stripe-Signature is not of a secret known here; take the endpoint's `whsec_...`")
        # As the library reads it; it looks at the past alone, and by a clock of its own.
        signed_at = int(next(part for part in header.split(",") if part.startswith("t=")).split("=")[1])
        age_s = now.timestamp() - signed_at
        if abs(age_s) > WINDOW_S:
            when = "ago" if age_s > 0 else "ahead"
            raise NotGenuine(f"Stripe signed this {abs(age_s):.0f} s {when}, beyond {WINDOW_S} s; check the clocks")


def _is_signed(body: bytes, header: str, secret: str) -> bool:
    """Tell whether a secret signed a body; a header that is not ASCII makes the library's comparison fail."""
    try:
        return header.isascii() and stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _paid(event: _Event) -> PaymentEvent:
    intent = _intent(event)
    return _of_intent(event, intent, "succeeded", amount=intent.amount_received)


def _failed(event: _Event) -> PaymentEvent:
    intent = _intent(event)
    failure = intent.last_payment_error or _Failure()
    why = intent.cancellation_reason or failure.decline_code or failure.code or "unknown"
    return _of_intent(event, intent, "failed", amount=intent.amount, why=why_code(why))


def _refunded(event: _Event) -> PaymentEvent | None:
    """What is refunded by this event: the charge tells what was refunded of it so far, and the event what before."""
    charge = _subject(event)
    amount = charge.amount_refunded - event.data.previous_attributes.amount_refunded
    return _of_subject(event, charge, "refunded", amount=amount)


def _refund_failed(event: _Event) -> PaymentEvent:
    refund = _subject(event)
    return _of_subject(event, refund, "refund-failed", amount=refund.amount)


def _disputed(event: _Event) -> PaymentEvent | None:
    """A dispute in which the money is gone; an inquiry takes none so far."""
    dispute = _subject(event)
    withdrawn = [one for one in dispute.balance_transactions if one.amount < 0]
    if not withdrawn:
        return None
    # The fee is in the currency that Stripe pays out in: where that is another, this clearing account knows no such.
    fee = sum(one.fee for one in withdrawn if one.currency == dispute.currency)
    return _of_subject(event, dispute, "charged-back", amount=dispute.amount, fee=fee)


def _closed(event: _Event) -> PaymentEvent | None:
    dispute = _subject(event)
    if dispute.status == "won":
        return _of_subject(event, dispute, "dispute-won", amount=dispute.amount)
    return _disputed(event) if dispute.status == "lost" else None


READERS: dict[str, Callable[[_Event], PaymentEvent | None]] = {
    "payment_intent.succeeded": _paid,
    "payment_intent.payment_failed": _failed,
    "payment_intent.canceled": _failed,
    "charge.refunded": _refunded,
    "refund.failed": _refund_failed,
    "charge.dispute.created": _disputed,
    "charge.dispute.funds_withdrawn": _disputed,
    "charge.dispute.closed": _closed,
}


def _intent(event: _Event) -> _Intent:
    return msgspec.json.decode(event.data.object, type=_Intent)


def _subject(event: _Event) -> _Subject:
    return msgspec.json.decode(event.data.object, type=_Subject)


def _of_intent(event: _Event, intent: _Intent, news: News, *, amount: int, why: str = "") -> PaymentEvent:
    return PaymentEvent(
        event=provider_id(event.id, what="id"),
        news=news,
        payment=provider_id(intent.id, what="payment"),
        amount_micros=_micros(amount, intent.currency),
        currency=_currency(intent.currency),
        happened_at=_at(event),
        account=code_or_nothing(intent.metadata.get("account")),
        charge=code_or_nothing(intent.metadata.get("charge")),
        why=why,
    )


def _of_subject(event: _Event, subject: _Subject, news: News, *, amount: int, fee: int = 0) -> PaymentEvent:
    return PaymentEvent(
        event=provider_id(event.id, what="id"),
        news=news,
        payment=provider_id(subject.payment, what="payment"),
        amount_micros=_micros(amount, subject.currency),
        currency=_currency(subject.currency),
        happened_at=_at(event),
        fee_micros=_micros(fee, subject.currency) if fee else 0,
    )


def _micros(amount: int, currency: str) -> int:
    if not 0 < amount <= 10**12:
        raise InvalidValue(f"Stripe tells of an amount of {amount} {currency}, which is none; look it up there")
    return micros_from_stripe(amount, _currency(currency))


def _currency(code: str) -> str:
    return checked_currency(code.upper())


def _at(event: _Event) -> datetime:
    # Ten digits: until the year 2286.
    if not 0 <= event.created < 10**10:
        raise InvalidValue(f"Stripe tells of {event.created} s since 1970, which is no time; look the event up there")
    return datetime.fromtimestamp(event.created, UTC)
