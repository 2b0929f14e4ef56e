"""Automatic top-ups whose provider is silent or late, or whose process dies in the middle: charged once."""

import os
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from console.payments import methods
from console.payments.port import ChargeOrder, ChargeOutcome, OutcomeUnknown
from console.payments.signed_json import SignedCharges
from ledger.usecases.autopay import end_rhythm
from tests.payments.autopay import EARLY, Desk
from tests.payments.fuse import Killed, killed_after
from tests.payments.shop import SANDBOX_SECRET

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TODAY = EARLY.date()
KILLS = int(os.environ.get("WATTLEDGER_PAYMENT_KILLS", "5"))
SEED = int(os.environ.get("WATTLEDGER_PAYMENT_SEED", "1"))


def test_a_charge_without_an_answer_is_asked_again_under_the_same_key_and_charged_once(desk: Desk) -> None:
    account = desk.account("tok_no_answer")
    desk.below(account)
    desk.turns()
    assert (desk.states(account), desk.charges(account)[0].detail, desk.charged(account)) == (
        ["waiting"],
        "no answer",
        1,
    )
    desk.turns(after=timedelta(minutes=1))
    assert (desk.states(account), desk.balance(account)) == (["booked"], 20)
    assert (desk.charged(account), len(desk.asked(account))) == (1, 1)


def test_a_webhook_that_is_before_the_answer_books_it_and_nobody_asks_again(desk: Desk) -> None:
    account = desk.account("tok_late")
    impatient = desk.process(SignedCharges(desk.sandbox.charge_url, [SANDBOX_SECRET], timeout_s=0.1))
    desk.below(account)
    desk.until(lambda: desk.balance(account) == 20, what="the webhook", payments=impatient)
    desk.turns(after=HOUR)
    (charge,) = desk.charges(account)
    assert (charge.state, charge.tries, desk.balance(account), desk.charged(account)) == ("booked", 1, 20, 1)


def test_a_provider_that_is_silent_for_a_day_leaves_it_to_a_person(desk: Desk) -> None:
    account = desk.account("tok_succeeds")
    deaf = desk.process(SignedCharges("http://127.0.0.1:9/charges", [SANDBOX_SECRET]))
    desk.below(account)
    for _ in range(30):
        desk.turns(after=HOUR, payments=deaf)
    (charge,) = desk.charges(account)
    assert (charge.state, charge.attempt, charge.tries > 10) == ("unknown", 1, True)
    assert desk.failures(account) == []
    assert "no answer within a day" in charge.detail


class Dies:
    """A provider that is asked, and then the process dies: before or after it heard."""

    def __init__(self, asked: SignedCharges) -> None:
        self.asked = asked

    def charge(self, order: ChargeOrder) -> ChargeOutcome:
        self.asked.charge(order)
        raise KeyboardInterrupt


def test_unbound_while_nobody_knows_what_became_of_it_is_not_asked_for_again(desk: Desk) -> None:
    account = desk.account("tok_stays_pending")

    class Deaf:
        def charge(self, order: ChargeOrder) -> ChargeOutcome:
            raise OutcomeUnknown("nobody answers")

    deaf: Any = Deaf()
    desk.below(account)
    desk.turns(payments=desk.process(deaf))
    methods.unbind(desk.people, desk.shop.till.ledger, by=desk.saying(account), method="card-1", reason="lost")
    desk.turns(after=HOUR)
    assert (desk.states(account), desk.asked(account)) == (["unknown"], [])


def test_who_dies_while_asking_asks_again_under_the_same_key(desk: Desk) -> None:
    account = desk.account("tok_pending_fails")
    dying: Any = Dies(SignedCharges(desk.sandbox.charge_url, [SANDBOX_SECRET]))
    desk.below(account)
    with pytest.raises(KeyboardInterrupt):
        desk.turns(payments=desk.process(dying))
    assert desk.states(account) == ["asking"]
    # What it tells arrives before the next process asks.
    desk.sandbox.teller.is_stopping.wait(0.2)
    desk.payments.begin(desk.shop.worker)
    desk.turns()
    assert (desk.states(account), len(desk.asked(account))) == (["waiting"], 1)
    assert [(one.attempt, one.why) for one in desk.failures(account)] == [(1, "insufficient_funds")]


@pytest.mark.parametrize("token", ["tok_succeeds", "tok_pending", "tok_pending_fails", "tok_declined"])
def test_killed_between_any_two_steps_it_is_charged_and_credited_once(desk: Desk, token: str) -> None:
    fails = token in ("tok_pending_fails", "tok_declined")
    last = ("waiting", 2) if fails else ("booked", 1)
    steps = _steps_of(desk, token, last)
    for step in random.Random(f"{SEED}-{token}").sample(range(1, steps + 1), min(KILLS, steps)):
        account = _about_to_be_charged(desk, token)
        with killed_after(step) as fuse, suppress(Killed):
            desk.until(lambda: fuse.burnt > steps, what="its end")
        desk.payments = desk.process()
        desk.payments.begin(desk.shop.worker)
        desk.until(lambda account=account: _state(desk, account) == last, what=f"{last}")  # type: ignore[misc]
        assert len(desk.asked(account)) == 1, f"killed after step {step} of {steps}"
        assert desk.balance(account) == (0 if fails else 20), f"killed after step {step} of {steps}"
        assert len(desk.failures(account)) == int(fails), f"killed after step {step} of {steps}"
        end_rhythm(desk.shop.till.ledger, by=desk.saying(account), rhythm="threshold", reason="over")


def _about_to_be_charged(desk: Desk, token: str) -> str:
    """An account that is due in the next turn of a process which knows all others already."""
    desk.turns()
    account = desk.account(token)
    desk.below(account)
    desk.projects()
    return account


def _steps_of(desk: Desk, token: str, last: tuple[str, int]) -> int:
    """How many statements and questions a charge takes, undisturbed."""
    account = _about_to_be_charged(desk, token)
    with killed_after(10**9) as fuse:
        desk.until(lambda: _state(desk, account) == last, what=f"{last}")
    end_rhythm(desk.shop.till.ledger, by=desk.saying(account), rhythm="threshold", reason="over")
    return fuse.burnt


def _state(desk: Desk, account: str) -> tuple[str, int] | None:
    """How the account's one charge stands, and in which attempt."""
    found = desk.charges(account)
    assert len(found) <= 1
    return (found[0].state, found[0].attempt) if found else None
