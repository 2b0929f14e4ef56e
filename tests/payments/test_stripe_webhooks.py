"""Stripe's events, signed by its own library, over HTTP to the ledger."""

import json
import time
from decimal import Decimal

import pytest
import requests
import stripe

from console.payments.stripe_amounts import micros_from_stripe, stripe_from_micros
from ledger.domain import chart
from ledger.values.errors import InvalidValue
from tests.ledger.till import micros
from tests.payments.shop import JSON, OLDER_STRIPE_SECRET, STRIPE_SECRET, UNIDENTIFIED, Shop

CLEARING = "assets:clearing:stripe"
DISPUTE_FEES = chart.CHARGEBACKS


def event(shop: Shop, kind: str, subject: JSON, **previous: int) -> JSON:
    """An event as Stripe sends it, with what it has beside what we look at."""
    return {
        "id": f"evt_stripe_{next(shop.numbers)}",
        "object": "event",
        "api_version": "2026-06-30.dahlia",
        "created": 1_772_366_400,
        "data": {"object": subject} | ({"previous_attributes": previous} if previous else {}),
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def intent(shop: Shop, account: str = "", **words: object) -> JSON:
    given = {
        "id": f"pi_{next(shop.numbers)}",
        "object": "payment_intent",
        "amount": 2500,
        "amount_received": 2500,
        "currency": "cny",
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "metadata": {"account": account} if account else {},
        "status": "succeeded",
    }
    return given | words


def charge(paid: JSON, refunded: int) -> JSON:
    return {
        "id": "ch_1",
        "object": "charge",
        "amount": paid["amount"],
        "amount_refunded": refunded,
        "currency": paid["currency"],
        "payment_intent": paid["id"],
        "refunded": refunded == paid["amount"],
        "status": "succeeded",
    }


def dispute(paid: JSON, status: str, *transactions: tuple[int, int]) -> JSON:
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": paid["amount"],
        "balance_transactions": [
            {"id": "txn_1", "object": "balance_transaction", "amount": amount, "fee": fee, "currency": "cny"}
            for amount, fee in transactions
        ],
        "charge": "ch_1",
        "currency": paid["currency"],
        "payment_intent": paid["id"],
        "reason": "fraudulent",
        "status": status,
    }


def sends(shop: Shop, told: JSON, *, secret: str = STRIPE_SECRET, age_s: int = 0) -> requests.Response:
    body = json.dumps(told, indent=2)
    header = stripe.WebhookSignature.generate_signature_header(body, secret, int(time.time()) - age_s)
    stripe.Webhook.construct_event(body.encode(), header, secret, tolerance=10**6)
    return shop.delivers(body.encode(), provider="stripe", headers={"Stripe-Signature": header})


def tells(shop: Shop, *all_told: JSON) -> list[str]:
    for told in all_told:
        answer = sends(shop, told)
        assert answer.status_code == 202, answer.text
    return shop.books_all()


def test_a_payment_is_credited_once_whatever_else_stripe_tells_of_it(shop: Shop) -> None:
    account, before = shop.new_account(), shop.books()
    paid = event(shop, "payment_intent.succeeded", intent(shop, account))
    other = event(shop, "payment_intent.created", paid["data"]["object"])
    assert tells(shop, other, paid, paid, event(shop, "charge.updated", {"id": "ch_1"})) == ["booked"]
    assert shop.balance(account) == 25
    assert shop.books()[CLEARING] - before.get(CLEARING, 0) == 25


@pytest.mark.parametrize("secret", [STRIPE_SECRET, OLDER_STRIPE_SECRET])
def test_either_secret_of_the_endpoint_may_have_signed(shop: Shop, secret: str) -> None:
    account = shop.new_account()
    assert sends(shop, event(shop, "payment_intent.succeeded", intent(shop, account)), secret=secret).ok
    assert shop.books_all() == ["booked"]


@pytest.mark.parametrize(
    "header",
    ["", "t=,v1=", "t=1", "v1=00", "t", "v1", "t=1,v1=ÿ", f"t={'9' * 5000},v1=00", "t=1,v0=aa,v1=" + "0" * 64],
)
def test_a_forged_event_moves_nothing(shop: Shop, header: str) -> None:
    body = json.dumps(event(shop, "payment_intent.succeeded", intent(shop, shop.new_account())))
    assert shop.delivers(body.encode(), provider="stripe", headers={"Stripe-Signature": header}).status_code == 403
    assert shop.books_all() == []


def test_an_event_of_another_endpoint_or_changed_on_its_way_is_forged(shop: Shop) -> None:
    told = event(shop, "payment_intent.succeeded", intent(shop, shop.new_account()))
    assert sends(shop, told, secret="whsec_of_another_endpoint").status_code == 403
    header = stripe.WebhookSignature.generate_signature_header(json.dumps(told), STRIPE_SECRET)
    changed = json.dumps(told).replace("2500", "9900").encode()
    answer = shop.delivers(changed, provider="stripe", headers={"Stripe-Signature": header})
    assert (answer.status_code, answer.json()["type"]) == (403, "not-genuine")
    body = b"\xff\xfe"
    assert shop.delivers(body, provider="stripe", headers={"Stripe-Signature": header}).status_code == 403


@pytest.mark.parametrize("age_s", [310, -310])
def test_an_event_beyond_the_window_is_refused(shop: Shop, age_s: int) -> None:
    answer = sends(shop, event(shop, "payment_intent.succeeded", intent(shop)), age_s=age_s)
    assert answer.status_code == 403
    assert "beyond 300 s" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("currency", "amount", "credited"), [("jpy", 500, 500), ("isk", 500, 5), ("kwd", 5120, "5.12")]
)
def test_amounts_are_in_the_unit_of_their_currency(shop: Shop, currency: str, amount: int, credited: object) -> None:
    account = shop.new_account(currency=currency.upper())
    paid = intent(shop, account, currency=currency, amount=amount, amount_received=amount)
    assert tells(shop, event(shop, "payment_intent.succeeded", paid)) == ["booked"]
    assert shop.balance(account) == Decimal(str(credited))


@pytest.mark.parametrize(
    ("currency", "told", "units"),
    [("JPY", 7, 7), ("UGX", 700, 7), ("ISK", 700, 7), ("BHD", 7000, 7), ("EUR", 700, 7)],
)
def test_what_is_read_is_what_is_charged(currency: str, told: int, units: int) -> None:
    assert micros_from_stripe(told, currency) == micros(units)
    assert stripe_from_micros(micros(units), currency) == told


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "0.5"), ("EUR", "0.005"), ("KWD", "5.124"), ("KWD", "0.0005")]
)
def test_what_stripe_cannot_charge_is_refused(currency: str, amount: str) -> None:
    with pytest.raises(InvalidValue, match="finer than Stripe charges"):
        stripe_from_micros(micros(amount), currency)


def test_a_payment_without_an_account_in_its_metadata_is_kept_unidentified(shop: Shop) -> None:
    before = shop.books().get(UNIDENTIFIED, 0)
    assert tells(shop, event(shop, "payment_intent.succeeded", intent(shop))) == ["booked"]
    assert shop.books()[UNIDENTIFIED] - before == -25


def test_a_failure_is_noted_with_its_code_and_a_later_success_credited(shop: Shop) -> None:
    account = shop.new_account()
    paid = intent(shop, account)
    declined = paid | {
        "amount_received": 0,
        "last_payment_error": {
            "code": "card_declined",
            "decline_code": "insufficient_funds",
            "message": "Anna's card",
        },
    }
    failed = event(shop, "payment_intent.payment_failed", declined)
    assert tells(shop, failed) == ["noted"]
    row = shop.worker.execute("SELECT why, d::text FROM payments.deliveries AS d WHERE event = %s", (failed["id"],))
    why, text = row.fetchone() or ("", "")
    assert (why, "Anna" in text) == ("insufficient_funds", False)
    assert tells(shop, event(shop, "payment_intent.succeeded", paid)) == ["booked"]
    assert shop.balance(account) == 25


def test_a_refund_told_before_its_payment_comes_to_nothing(shop: Shop) -> None:
    account, before = shop.new_account(), shop.books()
    paid = intent(shop, account)
    assert tells(shop, event(shop, "charge.refunded", charge(paid, 2500))) == ["waiting"]
    assert tells(shop, event(shop, "payment_intent.succeeded", paid)) == ["booked", "booked"]
    assert shop.balance(account) == 0
    assert shop.books().get(CLEARING, 0) == before.get(CLEARING, 0)


def test_parts_that_are_refunded_are_held_also_when_they_come_to_the_whole(shop: Shop) -> None:
    account = shop.new_account()
    paid = intent(shop, account)
    first = event(shop, "charge.refunded", charge(paid, 1000), amount_refunded=0)
    rest = event(shop, "charge.refunded", charge(paid, 2500), amount_refunded=1000)
    assert tells(shop, event(shop, "payment_intent.succeeded", paid), first, rest) == ["booked", "held", "held"]
    assert "15.00 of a payment of 25.00" in shop.rows([rest])[0][1]
    assert shop.balance(account) == 25


def test_a_refund_that_failed_is_given_to_a_person(shop: Shop) -> None:
    account = shop.new_account()
    paid = intent(shop, account)
    refund = {"id": "re_1", "object": "refund", "amount": 2500, "currency": "cny", "payment_intent": paid["id"]}
    failed = event(shop, "refund.failed", refund | {"status": "failed", "charge": "ch_1"})
    told = (event(shop, "payment_intent.succeeded", paid), event(shop, "charge.refunded", charge(paid, 2500)), failed)
    assert tells(shop, *told) == ["booked", "booked", "held"]
    assert "top the account up with it" in shop.rows([failed])[0][1]
    assert shop.balance(account) == 0


def test_a_chargeback_of_a_spent_top_up_is_debt_with_the_fee_ours_and_a_won_one_comes_back(shop: Shop) -> None:
    account, before = shop.new_account(), shop.books()
    paid = intent(shop, account)
    tells(shop, event(shop, "payment_intent.succeeded", paid))
    shop.till.uses(account, 20)
    gone = (-2500, 1500)
    opened = event(shop, "charge.dispute.created", dispute(paid, "needs_response"))
    withdrawn = event(shop, "charge.dispute.funds_withdrawn", dispute(paid, "needs_response", gone))
    assert tells(shop, opened, withdrawn) == ["booked"]
    assert shop.till.stands(account, balance=0, debt=20)
    after = shop.books()
    assert after.get(CLEARING, 0) - before.get(CLEARING, 0) == -15
    assert after[DISPUTE_FEES] - before.get(DISPUTE_FEES, 0) == 15
    again = event(shop, "charge.dispute.created", dispute(paid, "needs_response", gone))
    won = event(shop, "charge.dispute.closed", dispute(paid, "won", gone, (2500, 0)))
    assert tells(shop, again, won, won) == ["booked", "booked"]
    assert shop.balance(account) - shop.till.debt(account) == 5
    assert shop.books()[CLEARING] - before.get(CLEARING, 0) == 10


def test_a_lost_dispute_takes_the_money_once_though_nothing_else_told_of_it(shop: Shop) -> None:
    account = shop.new_account()
    paid = intent(shop, account)
    lost = event(shop, "charge.dispute.closed", dispute(paid, "lost", (-2500, 1500)))
    withdrawn = event(shop, "charge.dispute.funds_withdrawn", dispute(paid, "needs_response", (-2500, 1500)))
    assert tells(shop, event(shop, "payment_intent.succeeded", paid), lost, withdrawn) == ["booked"] * 3
    assert shop.balance(account) == 0


@pytest.mark.parametrize("status", ["warning_needs_response", "warning_closed"])
def test_an_inquiry_takes_no_money(shop: Shop, status: str) -> None:
    account = shop.new_account()
    paid = intent(shop, account)
    kind = "charge.dispute.closed" if status == "warning_closed" else "charge.dispute.created"
    told = (event(shop, "payment_intent.succeeded", paid), event(shop, kind, dispute(paid, status)))
    assert tells(shop, *told) == ["booked"]
    assert shop.balance(account) == 25


@pytest.mark.parametrize(
    "wrong",
    [{"currency": "money"}, {"amount_received": -1}, {"amount_received": "2500"}, {"amount_received": 10**30}],
)
def test_an_event_that_makes_no_sense_is_told_why(shop: Shop, wrong: JSON) -> None:
    assert sends(shop, event(shop, "payment_intent.succeeded", intent(shop) | wrong)).status_code == 422
    assert shop.books_all() == []
