"""Automatic top-ups over HTTP at the sandbox: charged once, within caps, told when they fail, stopped when asked."""

import os
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from console.payments import methods, rhythms
from ledger.domain.autopay import NONE_SET
from ledger.domain.credit.policy import CreditPolicy
from ledger.store.people import erase_person
from ledger.usecases.autopay import autopay_of, end_rhythm
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.money.paying_out import CloseAccount
from ledger.usecases.sites import change_site_settings
from tests.ledger.builders import MOVED_IN
from tests.payments.autopay import EARLY, Desk
from tests.payments.shop import SANDBOX_SECRET

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = EARLY.date()
KILLS = int(os.environ.get("WATTLEDGER_PAYMENT_KILLS", "5"))
SEED = int(os.environ.get("WATTLEDGER_PAYMENT_SEED", "1"))


def test_a_balance_below_the_threshold_is_topped_up_once_and_the_webhook_adds_nothing(desk: Desk) -> None:
    account = desk.account(balance=4)
    desk.below(account)
    desk.turns()
    assert (desk.balance(account), desk.states(account), desk.charged(account)) == (24, ["booked"], 1)
    desk.until(lambda: desk.heard(account) == [("succeeded", "booked")], what="the webhook")
    desk.turns(after=HOUR)
    assert (desk.balance(account), desk.charged(account)) == (24, 1)


def test_a_balance_at_the_threshold_is_left_alone_until_it_is_below(desk: Desk) -> None:
    account = desk.account(balance=5)
    desk.below(account)
    desk.turns()
    assert desk.states(account) == []
    desk.shop.till.uses(account, "0.01")
    desk.turns()
    assert (desk.balance(account), desk.states(account)) == (Decimal("24.99"), ["booked"])


def test_what_is_pending_is_booked_when_the_webhook_tells(desk: Desk) -> None:
    account = desk.account("tok_pending")
    desk.below(account)
    desk.until(lambda: desk.balance(account) == 20, what="the webhook")
    assert (desk.states(account), desk.charged(account)) == (["booked"], 1)


def test_a_threshold_crossed_again_while_a_charge_is_open_waits_for_it(desk: Desk) -> None:
    account = desk.account("tok_stays_pending", balance=4)
    desk.below(account)
    desk.turns()
    desk.shop.till.uses(account, 3)
    desk.turns(after=HOUR)
    assert (desk.states(account), desk.charged(account)) == (["pending"], 1)


def test_read_models_that_are_behind_charge_nobody_twice(desk: Desk) -> None:
    account = desk.account(balance=4)
    desk.below(account)
    desk.projects()
    for _ in range(10):
        desk.payments.turn(desk.shop.worker)
    assert (desk.balance(account), desk.states(account), desk.charged(account)) == (24, ["booked"], 1)


def test_two_processes_that_both_believe_to_be_the_one_make_one_charge(desk: Desk) -> None:
    account = desk.account("tok_stays_pending")
    desk.below(account)
    desk.projects()
    one, other = desk.process().rhythms, desk.process().rhythms
    with patch.object(rhythms, "_busy", return_value=set()):
        made = [each.make_due(desk.shop.worker, now=desk.now) for each in (one, other, one)]
    assert (made, desk.states(account)) == ([1, 0, 0], ["waiting"])
    desk.turns()
    assert (desk.states(account), desk.charged(account)) == (["pending"], 1)


def test_a_pending_charge_that_is_never_told_of_is_a_persons_to_find_out(desk: Desk) -> None:
    account = desk.account("tok_stays_pending")
    desk.below(account)
    desk.turns()
    counted: list[str] = []
    desk.payments.count_charge = counted.append
    desk.turns(after=3 * DAY + HOUR)
    assert (desk.states(account), desk.charged(account), counted) == (["unknown"], 1, ["unknown"])
    assert "never told" in desk.charges(account)[0].detail


def test_a_declined_charge_is_tried_again_later_under_new_keys_and_then_given_up(desk: Desk) -> None:
    account = desk.account("tok_declined")
    desk.below(account)
    desk.turns()
    (charge,) = desk.charges(account)
    assert (charge.state, charge.attempt) == ("waiting", 2)
    desk.turns(after=HOUR - timedelta(seconds=1))
    assert len(desk.asked(account)) == 1
    for pause in (timedelta(seconds=1), 6 * HOUR, DAY):
        desk.turns(after=pause)
    code = charge.charge
    assert desk.asked(account) == [f"{code}/{attempt}" for attempt in (1, 2, 3, 4)]
    assert desk.states(account) == ["given-up"]
    told = [(one.attempt, one.why, one.again_at is None) for one in desk.failures(account)]
    assert told == [(attempt, "card_declined", attempt == 4) for attempt in (1, 2, 3, 4)]
    desk.turns(after=HOUR)
    assert desk.states(account) == ["given-up"]
    desk.turns(after=DAY)
    assert desk.states(account) == ["given-up", "waiting"]


def test_what_can_never_work_is_not_tried_again(desk: Desk) -> None:
    account = desk.account("tok_stolen")
    desk.below(account)
    desk.turns()
    desk.turns(after=2 * HOUR)
    assert (desk.states(account), len(desk.asked(account))) == (["given-up"], 1)
    assert [one.again_at for one in desk.failures(account)] == [None]


def test_a_new_word_of_the_consumer_begins_anew_on_the_same_day(desk: Desk) -> None:
    account = desk.account("tok_stolen")
    desk.below(account)
    desk.turns()
    desk.binds(account, "tok_succeeds", method="card-2")
    desk.now += HOUR
    desk.below(account, method="card-2")
    desk.turns()
    assert (desk.states(account), desk.balance(account)) == (["given-up", "booked"], 20)


def test_a_failure_told_by_webhook_is_retried_and_an_earlier_attempts_failure_is_not_taken_for_it(
    desk: Desk,
) -> None:
    account = desk.account("tok_pending_fails")
    desk.below(account)
    desk.until(lambda: desk.states(account) == ["waiting"], what="the webhook")
    assert [(one.attempt, one.why) for one in desk.failures(account)] == [(1, "insufficient_funds")]
    first = next(one for one in desk.sandbox.till.taken.values() if one.request.account == account)
    # The second attempt stays pending.
    desk.people.execute(
        "UPDATE people.payment_methods SET token = 'tok_stays_pending' WHERE account = %s", (account,)
    )
    desk.turns(after=HOUR)
    assert (desk.states(account), len(desk.asked(account))) == (["pending"], 2)
    late = desk.shop.news(
        "failed", first.answer.payment, account=account, charge=first.request.charge, why="told-late"
    )
    assert desk.shop.delivers(late, provider="sandbox", secret=SANDBOX_SECRET).status_code == 202
    desk.turns()
    assert (desk.states(account), len(desk.failures(account))) == (["pending"], 1)


def test_what_is_told_twice_is_booked_once(desk: Desk) -> None:
    account = desk.account("tok_twice")
    desk.below(account)
    desk.until(lambda: len(desk.heard(account)) == 2, what="both webhooks")
    assert (desk.balance(account), desk.charged(account)) == (20, 1)


def test_whoever_takes_the_money_back_is_not_charged_again_by_itself(desk: Desk) -> None:
    account = desk.account("tok_charged_back")
    desk.below(account)
    desk.until(lambda: desk.balance(account) == 0 and len(desk.heard(account)) == 2, what="the chargeback")
    assert autopay_of(desk.shop.ledger, account) == NONE_SET
    desk.turns(after=DAY)
    assert (desk.states(account), desk.charged(account)) == (["booked"], 1)


@pytest.mark.parametrize("method", ["card-1", "card-2"])
def test_caps_may_be_met_exactly_and_are_told_once_when_they_stand_in_the_way(desk: Desk, method: str) -> None:
    account = desk.account()
    desk.binds(account, "tok_succeeds", method="card-2")
    desk.caps(account, day=40, month=60)
    desk.below(account, below=1_000, method=method)
    desk.turns()
    assert (desk.balance(account), desk.charged(account)) == (40, 2)
    for _ in range(3):
        desk.turns(after=HOUR)
    assert [(one.attempt, one.why) for one in desk.failures(account)] == [(0, "cap-of-the-day")]
    desk.turns(after=DAY)
    assert (desk.balance(account), desk.charged(account)) == (60, 3)
    desk.turns(after=DAY)
    assert [one.why for one in desk.failures(account)] == ["cap-of-the-day", "cap-of-the-month"]
    desk.turns(after=DAY)
    assert desk.charged(account) == 5
    assert desk.states(account).count("booked") == 5


def test_caps_count_the_local_day(desk: Desk) -> None:
    account = desk.account()
    desk.caps(account, day=20, month=100)
    desk.below(account, below=1_000)
    desk.turns()
    # The zone of an account without a policy is UTC: it is 04:00 there.
    desk.turns(after=20 * HOUR - timedelta(seconds=1))
    assert desk.charged(account) == 1
    desk.turns(after=timedelta(seconds=1))
    assert desk.charged(account) == 2


def test_a_schedule_is_due_from_the_midnight_where_the_account_is(desk: Desk) -> None:
    account, ledger, early = desk.account(), desk.shop.till.ledger, desk.now
    settings: dict[str, Any] = {"reconnection": "automatic", "warning_balance_micros": 0}
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=early, **settings)
    policy = CreditPolicy(zone="America/New_York")
    set_credit_policy(
        ledger, site="north", policy=policy, effective_from=MOVED_IN, operator="li", now=early, account=account
    )
    desk.every(account, "day", TODAY)
    # Winter time there: midnight is at five in UTC.
    desk.turns(after=HOUR - timedelta(seconds=1))
    assert desk.states(account) == []
    desk.turns(after=timedelta(seconds=1))
    assert [(one.due_on, one.made_on) for one in desk.charges(account)] == [(TODAY, TODAY)]


def test_caps_that_were_lowered_stop_what_was_not_asked_for_yet(desk: Desk) -> None:
    account = desk.account("tok_declined")
    desk.below(account)
    desk.turns()
    desk.caps(account, day=10, month=10)
    desk.turns(after=HOUR)
    assert (len(desk.asked(account)), desk.states(account)) == (1, ["dropped", "capped"])


def test_a_schedule_missed_while_everything_was_down_is_charged_once(desk: Desk) -> None:
    account = desk.account()
    desk.every(account, "day", TODAY)
    desk.turns()
    desk.turns(after=5 * DAY)
    assert (desk.balance(account), [one.due_on for one in desk.charges(account)]) == (
        40,
        [TODAY + 5 * DAY, TODAY],
    )
    desk.turns(after=HOUR)
    assert desk.charged(account) == 2


def test_a_schedule_and_a_threshold_hold_side_by_side(desk: Desk) -> None:
    account = desk.account()
    desk.every(account, "month", date(2100, 12, 31), amount=30)
    desk.below(account, amount=10)
    desk.turns()
    assert desk.balance(account) == 10
    desk.turns(after=33 * DAY)
    assert desk.balance(account) == 40
    assert {one.rhythm for one in desk.charges(account)} == {"threshold", "schedule"}


def test_a_provider_that_names_its_news_as_we_name_its_answers_stops_nobody_else(desk: Desk) -> None:
    account, other = desk.account(), desk.account()
    desk.below(account)
    desk.projects()
    assert desk.payments.rhythms.make_due(desk.shop.worker, now=desk.now) == 1
    taken = desk.shop.news("failed", "pay_of_another", account=account)
    taken["id"] = f"charge/{desk.charges(account)[0].key}"
    assert desk.shop.delivers(taken, provider="sandbox", secret=SANDBOX_SECRET).status_code == 202
    desk.below(other)
    desk.turns()
    assert desk.states(other) == ["booked"]
    desk.until(lambda: desk.states(account) == ["booked"], what="the webhook")
    assert (desk.balance(account), desk.charged(account)) == (20, 1)


def test_another_card_under_the_same_code_is_no_retry_of_the_first(desk: Desk) -> None:
    account = desk.account("tok_declined")
    desk.below(account)
    desk.turns()
    methods.unbind(desk.people, desk.shop.till.ledger, by=desk.saying(account), method="card-1", reason="lost")
    desk.binds(account, "tok_succeeds")
    desk.below(account)
    desk.turns(after=HOUR)
    assert (desk.states(account), desk.balance(account)) == (["dropped", "booked"], 20)


@pytest.mark.parametrize("how", ["unbound", "ended", "closed", "another amount", "topped up"])
def test_what_ends_before_the_next_attempt_stops_it(desk: Desk, how: str) -> None:
    account = desk.account("tok_declined")
    desk.below(account)
    desk.turns()
    by, ledger = desk.saying(account), desk.shop.till.ledger
    if how == "unbound":
        methods.unbind(desk.people, ledger, by=by, method="card-1", reason="lost")
    if how == "ended":
        end_rhythm(ledger, by=by, rhythm="threshold", reason="asked")
    if how == "closed":
        desk.shop.till.orders(CloseAccount(account=account, channel="bank"))
    if how == "another amount":
        desk.below(account, below=0, amount=10)
    if how == "topped up":
        desk.shop.till.tops_up(account, 50)
    desk.turns(after=HOUR)
    assert (desk.states(account), len(desk.asked(account))) == (["dropped"], 1)


def test_an_erased_method_is_charged_no_more_and_the_failure_is_told(desk: Desk) -> None:
    account = desk.account()
    desk.below(account)
    assert erase_person(desk.people, account=account) == 1
    desk.turns()
    assert (desk.states(account), desk.asked(account)) == (["given-up"], [])
    assert [(one.why, one.again_at) for one in desk.failures(account)] == [("method-erased", None)]
