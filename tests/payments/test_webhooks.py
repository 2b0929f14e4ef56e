"""Deliveries over HTTP, booked by the process's own turn: money moves once, and only where it must."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import psycopg
import pytest
import requests

from console.payments.signatures import SIGNATURE, signed_headers
from ledger.domain.receipt import ReceiptKept
from ledger.store.log import read_log
from ledger.usecases.money.receipts import identify_receipt
from ledger.values.errors import Refused
from tests.payments.shop import CLEARING, DETAILS, FEES, OLDER_SECRET, SECRET, UNIDENTIFIED, Shop


def test_a_payment_is_kept_when_it_is_answered_and_then_credited(shop: Shop) -> None:
    account, before = shop.new_account(), shop.books()
    news = shop.news("succeeded", shop.new_payment(), account=account, fee="0.15")
    answer = shop.delivers(news)
    assert (answer.status_code, answer.json()) == (202, {"kept": 1, "repeated": 0})
    assert shop.balance(account) == 0
    assert shop.books_all() == ["booked"]
    assert shop.balance(account) == 25
    after = shop.books()
    assert after[CLEARING] - before.get(CLEARING, 0) == Decimal("24.85")
    assert after[FEES] - before.get(FEES, 0) == Decimal("0.15")


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no Wattledger-Timestamp"),
        (signed_headers(b"{}", secret=SECRET, now=datetime.now(UTC)), "not of a secret known here"),
        ({SIGNATURE: "00" * 32, "wattledger-timestamp": "1790000000"}, "not of a secret known here"),
        ({SIGNATURE: "ÿ" * 64, "wattledger-timestamp": "1790000000"}, "not of a secret known here"),
        ({SIGNATURE: "00" * 32, "wattledger-timestamp": "1e9"}, "no Wattledger-Timestamp"),
    ],
)
def test_a_forged_delivery_moves_nothing(shop: Shop, headers: dict[str, str], why: str) -> None:
    account, before = shop.new_account(), shop.books()
    answer = shop.delivers(shop.news("succeeded", shop.new_payment(), account=account), headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, DETAILS)
    assert (answer.json()["type"], why in answer.json()["detail"]) == ("not-genuine", True)
    assert shop.books_all() == []
    assert shop.books() == before


def test_a_delivery_signed_with_another_providers_secret_is_forged(shop: Shop) -> None:
    news = shop.news("succeeded", shop.new_payment(), account=shop.new_account())
    assert shop.delivers(news, secret="a-secret-of-somebody-else").status_code == 403


@pytest.mark.parametrize("age_s", [310, -310])
def test_a_delivery_beyond_the_window_is_refused_and_within_it_taken(shop: Shop, age_s: int) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    answer = shop.delivers(news, age_s=age_s)
    assert answer.status_code == 403
    assert "beyond 300 s" in answer.json()["detail"]
    assert shop.books_all() == []
    assert shop.delivers(news, age_s=age_s * 9 // 10).status_code == 202
    assert shop.books_all() == ["booked"]


def test_what_is_replayed_is_told_before_and_books_nothing_more(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    shop.tells(news)
    answer = shop.delivers(news, age_s=30)
    assert (answer.status_code, answer.json()) == (202, {"kept": 0, "repeated": 1})
    assert shop.books_all() == []
    assert shop.balance(account) == 25


def test_another_id_under_the_same_signature_is_forged(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    signed = shop.delivers(news).request.headers
    headers = {name: str(value) for name, value in signed.items() if name.lower().startswith("wattledger-")}
    assert shop.delivers(news | {"id": "evt_replayed"}, headers=headers).status_code == 403
    assert shop.delivers(news | {"account": "somebody-else"}, headers=headers).status_code == 403
    shop.books_all()
    assert shop.balance(account) == 25


def test_the_same_id_with_other_content_is_refused_and_the_first_stands(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    shop.tells(news)
    answer = shop.delivers(news | {"amount": "2500.00"})
    assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
    assert "what came first stands" in answer.json()["detail"]
    assert shop.books_all() == []
    assert shop.balance(account) == 25


def test_one_payment_told_of_under_two_ids_is_credited_once(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    states = shop.tells(*(shop.news("succeeded", payment, account=account) for _ in range(3)))
    assert states == ["booked"] * 3
    assert shop.balance(account) == 25


def test_a_delivery_sent_twenty_times_at_once_is_kept_once(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: shop.delivers(news), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    assert sum(answer.json()["kept"] for answer in answers) == 1
    assert shop.books_all() == ["booked"]
    assert shop.balance(account) == 25


@pytest.mark.parametrize("taken_back", ["refunded", "charged-back"])
def test_what_is_taken_back_before_it_was_told_of_waits_and_comes_to_nothing(shop: Shop, taken_back: str) -> None:
    account, payment, before = shop.new_account(), shop.new_payment(), shop.books()
    back, paid = shop.news(taken_back, payment), shop.news("succeeded", payment, account=account)
    assert shop.tells(back) == ["waiting"]
    assert "waits for that" in shop.rows([back])[0][1]
    assert shop.tells(paid) == ["booked", "booked"]
    assert [state for state, _ in shop.rows([back, paid])] == ["booked", "booked"]
    assert shop.balance(account) == 0
    assert shop.books().get(CLEARING, 0) == before.get(CLEARING, 0)


def test_a_chargeback_of_a_spent_top_up_is_debt_and_a_won_dispute_pays_it(shop: Shop) -> None:
    account, payment, before = shop.new_account(), shop.new_payment(), shop.books()
    shop.tells(shop.news("succeeded", payment, account=account))
    shop.till.uses(account, 20)
    back = shop.news("charged-back", payment, fee="15.00")
    shop.tells(back)
    shop.tells(back, shop.news("charged-back", payment, fee="15.00"))
    assert shop.till.stands(account, balance=0, debt=20)
    after = shop.books()
    assert after.get(CLEARING, 0) - before.get(CLEARING, 0) == -15
    won = shop.news("dispute-won", payment)
    assert shop.tells(won, won, shop.news("dispute-won", payment))[0] == "booked"
    assert shop.balance(account) - shop.till.debt(account) == 5
    assert shop.books()[CLEARING] - before.get(CLEARING, 0) == 10


def test_a_chargeback_after_a_won_dispute_is_held_and_the_first_told_again_is_not(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    days = [f"2026-03-{day:02}T12:00:00Z" for day in (1, 2, 3, 4)]
    kinds = ("succeeded", "charged-back", "dispute-won")
    states = shop.tells(
        *(shop.news(kind, payment, at=at, account=account) for kind, at in zip(kinds, days, strict=False))
    )
    assert states == ["booked"] * 3
    again = shop.news("charged-back", payment, at=days[3])
    assert shop.tells(shop.news("charged-back", payment, at=days[1]), again) == ["booked", "held"]
    assert "charged back once more" in shop.rows([again])[0][1]
    assert shop.balance(account) == 25


def test_a_won_dispute_that_is_told_after_the_next_chargeback_is_held(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    story = (("succeeded", 1), ("charged-back", 2), ("charged-back", 4), ("dispute-won", 3))
    told = [shop.news(kind, payment, at=f"2026-03-0{day}T12:00:00Z", account=account) for kind, day in story]
    assert shop.tells(*told) == ["booked", "booked", "booked", "held"]
    assert shop.balance(account) == 0


def test_money_in_another_currency_is_never_given_to_an_account(shop: Shop) -> None:
    account = shop.new_account()
    shop.tells(shop.news("succeeded", shop.new_payment(), account=account, currency="EUR"))
    kept = [entry.fact for entry in read_log(shop.worker, after=0, limit=100_000)]
    receipt = [fact for fact in kept if isinstance(fact, ReceiptKept)][-1]
    with pytest.raises(Refused, match=r"is 25\.00 EUR, account '.*' is in CNY"):
        identify_receipt(shop.till.ledger, receipt=receipt.receipt, account=account, by=shop.till.by())
    assert shop.balance(account) == 0
    euros = shop.new_account(currency="EUR")
    identify_receipt(shop.till.ledger, receipt=receipt.receipt, account=euros, by=shop.till.by())
    assert shop.balance(euros) == 25


def test_a_payers_reference_is_kept_only_with_an_account_that_it_can_be_erased_with(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    shop.tells(shop.news("refunded", payment), shop.news("succeeded", payment, account=account))
    with psycopg.connect(shop.database.url("wattledger_people")) as people:
        found = people.execute("SELECT account FROM people.outside_references WHERE reference = %s", (payment,))
        assert found.fetchall() == [(account,)]


@pytest.mark.parametrize("words", [{"currency": "EUR"}, {"account": "nobody-here"}, {"account": ""}])
def test_money_for_no_account_is_kept_unidentified_once(shop: Shop, words: dict[str, str]) -> None:
    account, payment, before = shop.new_account(), shop.new_payment(), shop.books()
    news = shop.news("succeeded", payment, **({"account": account} | words))
    assert shop.tells(news, shop.news("succeeded", payment, **({"account": account} | words))) == ["booked"] * 2
    assert shop.balance(account) == 0
    after = shop.books()
    assert after[UNIDENTIFIED] - before.get(UNIDENTIFIED, 0) == -25
    assert after[CLEARING] - before.get(CLEARING, 0) == 25


def test_a_part_that_is_refunded_is_held_for_a_person(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    part = shop.news("refunded", payment, amount="10.00")
    assert shop.tells(shop.news("succeeded", payment, account=account), part) == ["booked", "held"]
    assert "a part is not taken back by itself" in shop.rows([part])[0][1]
    assert shop.balance(account) == 25


def test_a_failed_payment_is_noted_and_moves_nothing(shop: Shop) -> None:
    account, before = shop.new_account(), shop.books()
    failed = shop.news("failed", shop.new_payment(), account=account, why="card_declined")
    assert shop.tells(failed) == ["noted"]
    assert shop.books() == before


def test_what_nothing_ever_told_of_is_given_to_a_person(shop: Shop) -> None:
    back = shop.news("refunded", shop.new_payment())
    assert shop.tells(back) == ["waiting"]
    for days in (2, 3):
        assert shop.books_all(after=timedelta(days=days)) == ["waiting"]
    assert shop.books_all(after=timedelta(days=5)) == ["held"]
    assert "for 4 days; ask the provider" in shop.rows([back])[0][1]


def test_what_was_held_since_nothing_told_of_it_is_booked_when_something_does(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    back = shop.news("refunded", payment)
    assert shop.tells(back) == ["waiting"]
    assert [shop.books_all(after=timedelta(days=days))[0] for days in (2, 3, 5)] == ["waiting", "waiting", "held"]
    assert shop.tells(shop.news("succeeded", payment, account=account)) == ["booked", "booked"]
    assert shop.balance(account) == 0


def test_after_a_rest_of_many_days_what_follows_within_the_rows_is_found(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    shop.delivers(shop.news("refunded", payment))
    shop.delivers(shop.news("succeeded", payment, account=account))
    assert shop.books_all(after=timedelta(days=9)) == ["waiting", "booked", "booked"]
    assert shop.balance(account) == 0


def test_secrets_are_changed_one_side_at_a_time(shop: Shop) -> None:
    account = shop.new_account()
    for secret in (OLDER_SECRET, SECRET):
        shop.delivers(shop.news("succeeded", shop.new_payment(), account=account), secret=secret)
    assert shop.books_all() == ["booked", "booked"]
    news = shop.news("succeeded", shop.new_payment(), account=account)
    body, now = msgspec.json.encode(news), datetime.now(UTC)
    both = [signed_headers(body, secret=secret, now=now) for secret in ("of-the-day-after-tomorrow", SECRET)]
    headers = both[1] | {SIGNATURE: f"{both[0][SIGNATURE]} {both[1][SIGNATURE]}"}
    assert shop.delivers(body, headers=headers).status_code == 202
    shop.books_all()
    assert shop.balance(account) == 75


def test_a_provider_that_is_not_set_up_is_not_found(shop: Shop) -> None:
    answer = shop.delivers(shop.news("succeeded", shop.new_payment()), provider="elsewhere")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, DETAILS)
    assert "'elsewhere'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"amount": "-1.00"}, "out of range"),
        ({"amount": "1e400"}, "amount"),
        ({"amount": "25.0000001"}, "finer than"),
        ({"fee": "-0.01"}, "fee"),
        ({"currency": "yuan"}, "ISO 4217"),
        ({"type": "paid"}, "cannot be read"),
        ({"at": "2026-03-01T12:00:00"}, "cannot be read"),
        ({"payment": ""}, "payment"),
        ({"id": "x" * 300}, "id"),
    ],
)
def test_a_genuine_delivery_that_makes_no_sense_is_told_why(shop: Shop, wrong: dict[str, str], why: str) -> None:
    answer = shop.delivers(shop.news("succeeded", shop.new_payment()) | wrong)
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, DETAILS)
    assert why in answer.json()["detail"]
    assert shop.books_all() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff\xfe", b'{"id": "\\ud800"}', b"[" * 100_000])
def test_a_signed_body_that_is_no_delivery_is_refused(shop: Shop, body: bytes) -> None:
    assert shop.delivers(body).status_code == 422


def test_a_body_larger_than_any_delivery_is_refused_before_it_is_read_whole(shop: Shop) -> None:
    answer = shop.delivers(b" " * 300_000)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, DETAILS)


def test_what_a_payer_wrote_as_their_account_is_kept_nowhere(shop: Shop) -> None:
    news = shop.news("succeeded", shop.new_payment(), account="Anna Li, room 5")
    assert shop.tells(news) == ["booked"]
    row = shop.worker.execute("SELECT d::text FROM payments.deliveries AS d WHERE event = %s", (news["id"],))
    assert "Anna" not in str(row.fetchone())


def test_outcomes_are_counted_by_provider(shop: Shop) -> None:
    shop.delivers(shop.news("succeeded", shop.new_payment()), headers={})
    metrics = requests.get(f"{shop.address}/metrics", timeout=10).text
    assert 'wattledger_webhooks_total{outcome="not-genuine",provider="shop"}' in metrics
    assert 'wattledger_webhooks_total{outcome="kept",provider="shop"}' in metrics
    assert "elsewhere" not in metrics
    assert SECRET not in metrics
