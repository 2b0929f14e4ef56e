"""Whatever is told of some payments, in any order, however often, with work in between: money moves once at most."""

import os
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.store.log import head_of
from tests.payments.shop import CLEARING, Shop

IS_LONG = os.environ.get("WATTLEDGER_HYPOTHESIS") == "long"
HAPPENED = {"failed": 1, "succeeded": 2, "charged-back": 3, "refunded": 4, "dispute-won": 5}

# Of which of two payments, what, whether under an id told before, and whether what is due is worked off then.
TOLD = st.tuples(st.integers(0, 1), st.sampled_from(sorted(HAPPENED)), st.booleans(), st.booleans())


@settings(
    max_examples=400 if IS_LONG else 15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(story=st.lists(TOLD, min_size=2, max_size=10))
def test_money_moves_once_at_most(shop: Shop, story: list[tuple[int, str, bool, bool]]) -> None:
    account = shop.new_account()
    payments = [shop.new_payment(), shop.new_payment()]
    before = shop.books().get(CLEARING, Decimal(0))
    told: dict[tuple[int, str], dict[str, Any]] = {}
    for number, kind, is_repeat, works in story:
        news = told.get((number, kind)) if is_repeat else None
        if news is None:
            at = f"2026-03-0{HAPPENED[kind]}T12:00:00Z"
            news = shop.news(kind, payments[number], account=account, at=at)
        told[number, kind] = news
        assert shop.delivers(news).status_code == 202
        if works:
            shop.books_all()
    shop.books_all(after=timedelta(days=30))
    possible = {sum(pair) for pair in ((one, other) for one in _may_be(told, 0) for other in _may_be(told, 1))}
    balance = shop.balance(account) - shop.till.debt(account)
    assert balance in possible
    assert shop.books().get(CLEARING, Decimal(0)) - before == balance
    _check_telling_again_changes_nothing(shop, told)


def _may_be(told: dict[tuple[int, str], Any], number: int) -> set[int]:
    """What a payment may have come to: what takes it back twice is a person's, and which came first decides."""
    kinds = {kind for payment, kind in told if payment == number}
    if "succeeded" not in kinds:
        return {0}
    if not kinds & {"refunded", "charged-back"}:
        return {25}
    if {"charged-back", "dispute-won"} <= kinds:
        return {0, 25} if "refunded" in kinds else {25}
    return {0}


def _check_telling_again_changes_nothing(shop: Shop, told: dict[tuple[int, str], dict[str, Any]]) -> None:
    head = head_of(shop.worker)
    for news in told.values():
        for copy in (news, news | {"id": f"{news['id']}-told-again"}):
            assert shop.delivers(copy).status_code == 202
    shop.books_all(after=timedelta(days=30))
    assert head_of(shop.worker) == head
