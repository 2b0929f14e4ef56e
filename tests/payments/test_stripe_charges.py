"""Charges over Stripe's API, spoken by a server at a socket: under one key the money moves once."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from console.embedded.ports import LOOPBACK
from console.payments.port import ChargeOrder, Charges, OutcomeUnknown
from console.payments.providers import charges_in
from tests.ledger.till import micros
from tests.payments.shop import JSON

API_KEY = "sk_test_of_the_payments_process"


@dataclass(slots=True)
class Stripe:
    """Answers as Stripe does: what a key was answered first, it is answered for ever."""

    address: str = ""
    answers: list[tuple[int, JSON]] = field(default_factory=list)
    by_key: dict[str, tuple[int, JSON]] = field(default_factory=dict)
    asked: list[tuple[str, str, str, dict[str, list[str]]]] = field(default_factory=list)
    hangs_up: bool = False

    def answered(self, key: str) -> tuple[int, JSON]:
        if key not in self.by_key:
            self.by_key[key] = self.answers.pop(0)
        return self.by_key[key]


@pytest.fixture
def provider() -> Iterator[Stripe]:
    stripe = Stripe()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            key = self.headers["Idempotency-Key"]
            stripe.asked.append((self.path, self.headers["Authorization"], key, form))
            status, answer = stripe.answered(key)
            if stripe.hangs_up:
                return
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so
            pass

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    stripe.address = f"http://{LOOPBACK}:{server.server_port}"
    yield stripe
    server.shutdown()
    server.server_close()


@pytest.fixture
def charges(provider: Stripe) -> Charges:
    environ = {"WATTLEDGER_STRIPE_API_KEY": API_KEY, "WATTLEDGER_STRIPE_API_BASE": provider.address}
    return charges_in(environ)["stripe"]


def order(**words: object) -> ChargeOrder:
    given: JSON = {
        "key": "charge-1/1",
        "charge": "charge-1",
        "account": "tenant/1",
        "token": "cus_9/pm_7",
        "amount_micros": micros("25.50"),
        "currency": "EUR",
    }
    return ChargeOrder(**(given | words))


def made(status: str, **words: object) -> tuple[int, JSON]:
    given = {"id": "pi_1", "object": "payment_intent", "currency": "eur", "amount": 2550, "status": status}
    return 200, given | {"latest_charge": None} | words


def refused(status: int, kind: str, code: str, **words: object) -> tuple[int, JSON]:
    return status, {"error": {"type": kind, "code": code, "message": "Your card was declined, Anna."} | words}


def test_a_charge_is_asked_for_as_stripe_wants_it(charges: Charges, provider: Stripe) -> None:
    provider.answers = [made("succeeded")]
    outcome = charges.charge(order())
    assert (outcome.state, outcome.payment, outcome.fee_micros) == ("succeeded", "pi_1", 0)
    path, authorization, key, form = provider.asked[0]
    assert (path, authorization, key) == ("/v1/payment_intents", f"Bearer {API_KEY}", "charge-1/1")
    sent = {name: values[0] for name, values in form.items()}
    assert sent == {
        "amount": "2550",
        "currency": "eur",
        "customer": "cus_9",
        "payment_method": "pm_7",
        "confirm": "true",
        "off_session": "true",
        "metadata[account]": "tenant/1",
        "metadata[charge]": "charge-1",
        "expand[0]": "latest_charge.balance_transaction",
    }


def test_asked_twice_under_one_key_stripe_charges_once(charges: Charges, provider: Stripe) -> None:
    provider.answers = [made("succeeded")]
    provider.hangs_up = True
    with pytest.raises(OutcomeUnknown, match="charge-1"):
        charges.charge(order())
    provider.hangs_up = False
    assert charges.charge(order()).payment == "pi_1"
    assert [key for _, _, key, _ in provider.asked] == ["charge-1/1"] * 2
    assert len(provider.by_key) == 1


@pytest.mark.parametrize(("currency", "fee_micros"), [("eur", micros("0.64")), ("usd", 0)])
def test_the_fee_is_taken_where_it_is_in_the_payments_currency(
    charges: Charges, provider: Stripe, currency: str, fee_micros: int
) -> None:
    transaction = {"id": "txn_1", "object": "balance_transaction", "amount": 2550, "fee": 64, "currency": currency}
    charged = {"id": "ch_1", "object": "charge", "balance_transaction": transaction}
    provider.answers = [made("succeeded", latest_charge=charged)]
    assert charges.charge(order()).fee_micros == fee_micros


def test_an_amount_without_coins_is_sent_whole(charges: Charges, provider: Stripe) -> None:
    provider.answers = [made("processing", currency="jpy")]
    assert charges.charge(order(currency="JPY", amount_micros=micros(500), token="pm_7")).state == "pending"
    form = provider.asked[0][3]
    assert (form["amount"], form["currency"], "customer" in form) == (["500"], ["jpy"], False)


def test_an_amount_that_stripe_does_not_know_is_not_asked_for(charges: Charges, provider: Stripe) -> None:
    outcome = charges.charge(order(currency="JPY"))
    assert (outcome.state, outcome.why, outcome.may_retry) == ("failed", "amount-not-chargeable", False)
    assert provider.asked == []


@pytest.mark.parametrize(
    ("answer", "why", "may_retry"),
    [
        (refused(402, "card_error", "card_declined", decline_code="insufficient_funds"), "insufficient_funds", True),
        (refused(402, "card_error", "card_declined", decline_code="stolen_card"), "stolen_card", False),
        (refused(402, "card_error", "expired_card"), "expired_card", False),
        (
            refused(402, "card_error", "authentication_required", payment_intent={"id": "pi_2"}),
            "authentication_required",
            False,
        ),
        (refused(400, "invalid_request_error", "resource_missing"), "resource_missing", False),
        (made("requires_action"), "authentication_required", False),
        (made("requires_payment_method"), "payment_method_refused", False),
    ],
)
def test_a_charge_that_failed_tells_a_code_and_whether_it_may_be_tried_again(
    charges: Charges, provider: Stripe, answer: tuple[int, JSON], why: str, may_retry: bool
) -> None:
    provider.answers = [answer]
    outcome = charges.charge(order())
    assert (outcome.state, outcome.why, outcome.may_retry) == ("failed", why, may_retry)
    assert "Anna" not in repr(outcome)


@pytest.mark.parametrize(
    "answer",
    [
        refused(500, "api_error", "oops"),
        refused(429, "invalid_request_error", "rate_limit"),
        refused(401, "invalid_request_error", f"Invalid API Key provided: {API_KEY}"),
        refused(403, "invalid_request_error", "permission"),
        refused(409, "invalid_request_error", "idempotency_key_in_use"),
        refused(400, "idempotency_error", "idempotency_error"),
        (200, {"object": "payment_intent"}),
        (200, {"object": "list"}),
        made("a-status-of-next-year"),
    ],
)
def test_what_stripe_does_not_say_is_not_known(charges: Charges, provider: Stripe, answer: tuple[int, JSON]) -> None:
    provider.answers = [answer]
    with pytest.raises(OutcomeUnknown) as raised:
        charges.charge(order())
    assert API_KEY not in str(raised.value)
    assert "Anna" not in str(raised.value)


def test_nobody_at_the_address_is_not_known_either() -> None:
    environ = {"WATTLEDGER_STRIPE_API_KEY": API_KEY, "WATTLEDGER_STRIPE_API_BASE": f"http://{LOOPBACK}:9"}
    with pytest.raises(OutcomeUnknown):
        charges_in(environ)["stripe"].charge(order())
    assert API_KEY not in repr(charges_in(environ))
