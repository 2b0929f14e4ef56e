"""What every adapter must keep to, as the port's docstring says: both of ours, and one written from it alone."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

import psycopg
import pytest
import stripe

from console.payments.port import (
    WINDOW_S,
    NotGenuine,
    PaymentEvent,
    Webhooks,
    code_or_nothing,
    provider_id,
)
from console.payments.providers import webhooks_in
from console.payments.receiving import Received, Receiver
from console.payments.signatures import signed_headers
from ledger.values.errors import InvalidValue
from ledger.values.money import micros_from_text
from tests.payments.shop import ENVIRON, REFERENCE_KEY, SECRET, STRIPE_SECRET, Shop

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FormWebhooks:
    """A provider of a third kind: a form, with a signature of its own in one header."""

    secret: bytes

    def events_of(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Sequence[PaymentEvent]:
        sent_at, _, signature = headers.get("x-sign", "").partition(":")
        wanted = hmac.new(self.secret, sent_at.encode() + b"|" + body, hashlib.sha512).hexdigest()
        if not hmac.compare_digest(signature.encode(), wanted.encode()):
            raise NotGenuine("the form is not signed by the till's secret")
        if abs(now.timestamp() - int(sent_at)) > WINDOW_S:
            raise NotGenuine("the form was signed too long ago")
        try:
            form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
            paid = PaymentEvent(
                event=provider_id(form["serial"], what="serial"),
                news="succeeded",
                payment=provider_id(form["order"], what="order"),
                amount_micros=micros_from_text(form["yuan"]),
                currency="CNY",
                happened_at=datetime.fromisoformat(form["paid_at"]),
                account=code_or_nothing(form.get("memo")),
            )
        except (KeyError, ValueError) as error:
            raise InvalidValue(f"the form is signed, but cannot be read: {type(error).__name__}") from None
        return [paid]


Sign = Callable[[bytes, datetime], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Sample:
    """An adapter, a body that tells of 25.00 CNY for account a-1, and how its provider signs."""

    webhooks: Webhooks
    body: bytes
    sign: Sign


def _form_signed(body: bytes, now: datetime) -> dict[str, str]:
    sent_at = str(int(now.timestamp()))
    return {"x-sign": f"{sent_at}:{hmac.new(b'till', sent_at.encode() + b'|' + body, hashlib.sha512).hexdigest()}"}


def _stripe_signed(body: bytes, now: datetime) -> dict[str, str]:
    text, at = body.decode("latin-1"), int(now.timestamp())
    return {"stripe-signature": stripe.WebhookSignature.generate_signature_header(text, STRIPE_SECRET, at)}


_FORM = {"serial": "s-1", "order": "o-1", "yuan": "25.00", "paid_at": "2026-03-01T12:00:00+08:00", "memo": "a-1"}
_SHOP = {
    "id": "evt_1",
    "type": "succeeded",
    "payment": "pay_1",
    "amount": "25.00",
    "currency": "CNY",
    "at": "2026-03-01T12:00:00Z",
    "account": "a-1",
}
_INTENT = {"id": "pi_1", "amount": 2500, "amount_received": 2500, "currency": "cny", "metadata": {"account": "a-1"}}
_STRIPE = {
    "id": "evt_1",
    "type": "payment_intent.succeeded",
    "created": int(NOW.timestamp()),
    "data": {"object": _INTENT},
}
SAMPLES = {
    "shop": Sample(
        webhooks_in(ENVIRON)["shop"],
        json.dumps(_SHOP).encode(),
        lambda body, now: signed_headers(body, secret=SECRET, now=now),
    ),
    "stripe": Sample(webhooks_in(ENVIRON)["stripe"], json.dumps(_STRIPE).encode(), _stripe_signed),
    "till": Sample(FormWebhooks(b"till"), urlencode(_FORM).encode(), _form_signed),
}


@pytest.fixture(params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> Sample:
    return SAMPLES[request.param]


def test_what_is_signed_is_read(sample: Sample) -> None:
    [event] = sample.webhooks.events_of(sample.body, sample.sign(sample.body, NOW), now=NOW)
    assert (event.news, event.amount_micros, event.currency, event.account) == ("succeeded", 25_000_000, "CNY", "a-1")
    assert event.happened_at.tzinfo is not None


def test_what_is_delivered_again_reads_the_same_whatever_the_time(sample: Sample) -> None:
    later = NOW + timedelta(days=3)
    first, again = (
        sample.webhooks.events_of(sample.body, sample.sign(sample.body, now), now=now) for now in (NOW, later)
    )
    assert list(first) == list(again)


@pytest.mark.parametrize("seconds", [-WINDOW_S - 1, WINDOW_S + 1])
def test_what_was_signed_beyond_the_window_is_not_genuine(sample: Sample, seconds: int) -> None:
    headers = sample.sign(sample.body, NOW + timedelta(seconds=seconds))
    with pytest.raises(NotGenuine):
        sample.webhooks.events_of(sample.body, headers, now=NOW)


def test_no_byte_can_be_changed(sample: Sample) -> None:
    headers = sample.sign(sample.body, NOW)
    for place in range(len(sample.body)):
        changed = bytearray(sample.body)
        changed[place] ^= 1
        with pytest.raises(NotGenuine):
            sample.webhooks.events_of(bytes(changed), headers, now=NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"[" * 10_000])
def test_what_is_not_signed_is_not_parsed(sample: Sample, body: bytes) -> None:
    for headers in ({}, sample.sign(sample.body, NOW)):
        with pytest.raises(NotGenuine):
            sample.webhooks.events_of(body, headers, now=NOW)


def test_what_is_signed_and_makes_no_sense_is_refused_without_the_body(sample: Sample) -> None:
    body = b'{"id": "Anna Li"'
    with pytest.raises(InvalidValue) as raised:
        sample.webhooks.events_of(body, sample.sign(body, NOW), now=NOW)
    assert not isinstance(raised.value, NotGenuine)
    assert "Anna" not in str(raised.value)


def test_an_adapter_written_from_the_docstring_leads_to_the_ledger(shop: Shop) -> None:
    receiver = Receiver(webhooks={"till": SAMPLES["till"].webhooks}, reference_key=REFERENCE_KEY)
    shop.till.opens("a-1")
    body, headers = SAMPLES["till"].body, SAMPLES["till"].sign(SAMPLES["till"].body, NOW)
    with psycopg.connect(shop.database.url("wattledger_api"), autocommit=True) as connection:
        received = [
            receiver.receive(connection, provider="till", body=body, headers=headers, now=NOW) for _ in range(2)
        ]
    assert received == [Received(kept=1), Received(repeated=1)]
    assert shop.books_all() == ["booked"]
    assert shop.balance("a-1") == 25
