"""What an online provider tells of a payment, in any order and however often, moves its money once."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from ledger.store.application import Ledger
from ledger.usecases.money.payments import NotYet, Told, book_told
from ledger.usecases.money.receipts import identify_receipt, receipt_of
from ledger.values.errors import Conflict, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, books, micros

PAYMENT = "0f" * 32
CLEARING, FEES = "assets:clearing:app", "expenses:provider-fees:app"


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1")
    return till


def told(news: Any = "succeeded", **words: Any) -> Told:
    given: dict[str, Any] = {"account": "a-1", "currency": "CNY", "reference_hash": PAYMENT}
    return Told(provider="app", news=news, now=MOVED_IN, **({"amount_micros": micros(25)} | given | words))


def test_a_payment_told_twice_is_credited_once_on_clearing_less_the_fee(till: Till, writer: Any) -> None:
    first = book_told(till.ledger, told(fee_micros=micros("0.15")))
    again = book_told(till.ledger, told(fee_micros=micros("0.15")))
    assert (again.position, again.is_repeat) == (first.position, True)
    sums = books(writer)
    assert till.balance("a-1") == 25
    assert (sums[CLEARING], sums[FEES]) == (Decimal("24.85"), Decimal("0.15"))


def test_the_same_payment_with_another_amount_is_refused(till: Till) -> None:
    book_told(till.ledger, told())
    with pytest.raises(Conflict, match="used before with other content"):
        book_told(till.ledger, told(amount_micros=micros(26)))
    assert till.balance("a-1") == 25


def test_a_failed_payment_moves_nothing(till: Till, writer: Any) -> None:
    assert book_told(till.ledger, told("failed")).position == 0
    assert not books(writer)


@pytest.mark.parametrize("order", list(permutations(["succeeded", "charged-back", "dispute-won"])))
def test_news_in_any_order_come_to_the_same(till: Till, writer: Any, order: tuple[str, ...]) -> None:
    waiting = list(order)
    for _ in order:
        for news in list(waiting):
            try:
                book_told(till.ledger, told(news))
            except NotYet:
                continue
            waiting.remove(news)
    assert not waiting
    assert till.balance("a-1") == 25
    assert books(writer)[CLEARING] == 25


@pytest.mark.parametrize("news", ["refunded", "charged-back"])
def test_what_was_spent_before_it_was_taken_back_is_debt_once(till: Till, writer: Any, news: str) -> None:
    book_told(till.ledger, told())
    till.uses("a-1", 20)
    for _ in range(2):
        book_told(till.ledger, told(news))
    assert till.stands("a-1", balance=0, debt=20)
    assert CLEARING not in books(writer)


def test_a_part_that_is_refunded_waits_for_a_person(till: Till) -> None:
    book_told(till.ledger, told())
    with pytest.raises(Refused, match=r"10\.00 of a payment of 25\.00"):
        book_told(till.ledger, told("refunded", amount_micros=micros(10)))
    assert till.balance("a-1") == 25


@pytest.mark.parametrize("where", [{"account": "nobody"}, {"account": ""}, {"currency": "EUR"}])
def test_money_for_no_account_is_kept_and_given_back_once(till: Till, writer: Any, where: dict[str, str]) -> None:
    for _ in range(2):
        book_told(till.ledger, told(**where))
    assert books(writer) == {CLEARING: Decimal(25), "liabilities:unidentified-receipts": Decimal(-25)}
    for _ in range(2):
        book_told(till.ledger, told("refunded", **where))
    assert not books(writer)


def test_a_kept_payment_that_was_identified_is_charged_back_where_it_came_from(till: Till, writer: Any) -> None:
    book_told(till.ledger, told(account="nobody"))
    receipt = told().receipt
    identify_receipt(till.ledger, receipt=receipt, account="a-1", by=till.by())
    book_told(till.ledger, told(account="nobody"))
    assert till.balance("a-1") == 25
    book_told(till.ledger, told("charged-back"))
    assert till.balance("a-1") == 0
    assert not books(writer)
    found = receipt_of(till.ledger, receipt)[0]
    assert found is not None
    assert found.outcome == "identified"


def test_a_kept_payment_that_was_identified_is_refunded_and_waits_for_nobody(till: Till, writer: Any) -> None:
    book_told(till.ledger, told(account="nobody"))
    identify_receipt(till.ledger, receipt=told().receipt, account="a-1", by=till.by())
    for _ in range(2):
        book_told(till.ledger, told("refunded"))
    assert till.balance("a-1") == 0
    assert not books(writer)
    found = receipt_of(till.ledger, told().receipt)[0]
    assert found is not None
    assert found.outcome == "returned"
