"""The generic provider: webhooks and charges as JSON, signed by HMAC (`signatures`); the sandbox speaks it, too."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from console.payments.port import (
    ChargeOrder,
    ChargeOutcome,
    OutcomeUnknown,
    PaymentEvent,
    code_or_nothing,
    provider_id,
    why_code,
)
from console.payments.signatures import check_signed, signed_headers
from ledger.usecases.codes import checked_currency
from ledger.usecases.money.payments import News
from ledger.values.errors import InvalidValue
from ledger.values.money import micros_from_text, text_from_micros
from ledger.wire import Instant

# No micro-units beyond this: a bigint holds it, and no payment is near it.
MOST_MICROS = 10**16
_TIMEOUT_S = 20.0
_MOST_ANSWER_BYTES = 65_536


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook's body; amounts are decimal texts in currency units."""

    id: str
    type: News
    payment: str
    amount: str
    currency: str
    at: Instant
    account: str = ""
    charge: str = ""
    fee: str = "0"
    why: str = ""


class ChargeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A charge's body, as we ask for it."""

    key: str
    charge: str
    account: str
    token: str
    amount: str
    currency: str


class ChargeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A charge's answer, with status 200."""

    state: Literal["succeeded", "pending", "failed"]
    payment: str = ""
    fee: str = "0"
    why: str = ""
    may_retry: bool = True


@dataclass(frozen=True, slots=True)
class SignedWebhooks:
    """Reads signed deliveries; any of the secrets may have signed, so that they can be changed one side at a time."""

    secrets: Sequence[str] = field(repr=False)

    def events_of(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[PaymentEvent]:
        """Return the one piece of news in a delivery; see `port.Webhooks`."""
        check_signed(body, headers, secrets=self.secrets, now=now)
        try:
            told = msgspec.json.decode(body, type=Delivery)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidValue(f"the delivery is signed, but cannot be read: {error}; see docs/payments.md") from None
        return [
            PaymentEvent(
                event=provider_id(told.id, what="id"),
                news=told.type,
                payment=provider_id(told.payment, what="payment"),
                amount_micros=_micros(told.amount, "amount", least=1),
                currency=checked_currency(told.currency),
                happened_at=told.at,
                account=code_or_nothing(told.account),
                charge=code_or_nothing(told.charge),
                fee_micros=_micros(told.fee, "fee", least=0),
                why=why_code(told.why) if told.why else "",
            )
        ]


@dataclass(frozen=True, slots=True)
class SignedCharges:
    """Asks for charges at a URL, signed with the first secret."""

    url: str
    secrets: Sequence[str] = field(repr=False)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    timeout_s: float = _TIMEOUT_S

    def charge(self, order: ChargeOrder) -> ChargeOutcome:
        """Charge a method; see `port.Charges`."""
        body = msgspec.json.encode(
            ChargeRequest(
                key=order.key,
                charge=order.charge,
                account=order.account,
                token=order.token,
                amount=text_from_micros(order.amount_micros),
                currency=order.currency,
            )
        )
        headers = signed_headers(body, secret=self.secrets[0], now=self.now()) | {"Content-Type": "application/json"}
        # The URL is the operator's own setting, checked to be http(s) where it is read.
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310 - the same
                told = msgspec.json.decode(response.read(_MOST_ANSWER_BYTES), type=ChargeAnswer)
            return ChargeOutcome(
                state=told.state,
                payment=told.payment if told.state == "failed" else provider_id(told.payment, what="payment"),
                fee_micros=_micros(told.fee, "fee", least=0),
                why=why_code(told.why) if told.why else "",
                may_retry=told.may_retry,
            )
        except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
            raise OutcomeUnknown(f"the provider at {self._host} did not answer: {error}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidValue) as error:
            raise OutcomeUnknown(f"the provider at {self._host} answered what cannot be read: {error}") from error

    @property
    def _host(self) -> str:
        """What may be shown of the address: the rest may hold a secret."""
        return urlsplit(self.url).hostname or ""


def _micros(text: str, what: str, *, least: int) -> int:
    micros = micros_from_text(text)
    if not least <= micros <= MOST_MICROS:
        raise InvalidValue(f"the delivery's {what} {text!r} is out of range; give a decimal such as 25.00")
    return micros
