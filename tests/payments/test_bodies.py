"""Whatever a signed body holds, it is read or refused in words: no other error comes of it."""

import json
from datetime import UTC, datetime
from typing import Any

import stripe
from hypothesis import given
from hypothesis import strategies as st

from console.payments.port import PaymentEvent, Webhooks
from console.payments.providers import webhooks_in
from console.payments.signatures import signed_headers
from console.payments.stripe_webhooks import READERS
from ledger.values.errors import InvalidValue
from tests.payments.shop import ENVIRON, SECRET, STRIPE_SECRET

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEBHOOKS = webhooks_in(ENVIRON)

ODD_TEXTS = st.sampled_from(
    ["", "a", "\x00", "\ud800", "x" * 300, "cny", "CNY", "jpy", "Anna Li", "NaN", "-0", "1e99"]
)
ODD_NUMBERS = st.booleans() | st.integers() | st.floats()
ODD: st.SearchStrategy[Any] = st.sampled_from([None, [], {}]) | ODD_NUMBERS | ODD_TEXTS | st.text(max_size=5)
TIMES = st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-03-01T12:00:00Z", "now"])


def odd(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good body with some of its fields replaced."""
    replaced = st.dictionaries(st.sampled_from(sorted(good)), ODD, max_size=3)
    return st.builds(lambda found: good | found, replaced)


def read(webhooks: Webhooks, body: bytes, headers: dict[str, str]) -> None:
    try:
        events = webhooks.events_of(body, headers, now=NOW)
    except InvalidValue:
        return
    for event in events:
        check(event)


def check(event: PaymentEvent) -> None:
    """What is read can be kept: PostgreSQL takes neither NUL nor more than 64 bits."""
    assert 0 < event.amount_micros <= 10**18
    assert 0 <= event.fee_micros <= 10**18
    texts = (event.event, event.payment, event.account, event.charge, event.why, event.currency)
    assert "".join(texts).isprintable()
    assert event.happened_at.tzinfo is not None


SHOP = {
    "id": "evt_1",
    "type": "succeeded",
    "payment": "pay_1",
    "amount": "25.00",
    "currency": "CNY",
    "at": "2026-03-01T12:00:00Z",
    "account": "a-1",
    "charge": "c-1",
    "fee": "0.15",
    "why": "card_declined",
}
INTENT = {
    "id": "pi_1",
    "amount": 2500,
    "amount_received": 2500,
    "currency": "cny",
    "metadata": {"account": "a-1"},
    "last_payment_error": {"code": "card_declined"},
    "cancellation_reason": "abandoned",
    "amount_refunded": 2500,
    "payment_intent": "pi_1",
    "charge": "ch_1",
    "status": "lost",
    "balance_transactions": [{"amount": -2500, "fee": 1500, "currency": "cny"}],
}


@given(body=odd(SHOP), at=TIMES)
def test_a_body_of_signed_json_is_read_or_refused(body: dict[str, Any], at: str) -> None:
    raw = json.dumps(body | {"at": at}).encode()
    read(WEBHOOKS["shop"], raw, signed_headers(raw, secret=SECRET, now=NOW))


@given(
    subject=odd(INTENT),
    event=odd({"id": "evt_1", "created": 1_772_366_400}),
    kind=st.sampled_from(sorted(READERS)),
    previous=odd({"amount_refunded": 0}),
)
def test_an_event_of_stripes_is_read_or_refused(
    subject: dict[str, Any], event: dict[str, Any], kind: str, previous: dict[str, Any]
) -> None:
    raw = json.dumps(event | {"type": kind, "data": {"object": subject, "previous_attributes": previous}})
    header = stripe.WebhookSignature.generate_signature_header(raw, STRIPE_SECRET, int(NOW.timestamp()))
    read(WEBHOOKS["stripe"], raw.encode(), {"stripe-signature": header})


@given(st.binary(max_size=40))
def test_bytes_that_are_signed_are_read_or_refused(raw: bytes) -> None:
    read(WEBHOOKS["shop"], raw, signed_headers(raw, secret=SECRET, now=NOW))
