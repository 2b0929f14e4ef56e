from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger.domain.credit.policy import CreditPolicy
from ledger.domain.credit.standing import AccountFigures, CreditStanding, credit_standing
from ledger.domain.relay import OrderIssued, Relay
from ledger.domain.site import Reconnection
from ledger.wire import RelayOutcome
from projections.decide import Order, decide, retry_pause
from projections.situation import Situation
from projections.switching import Switching, switched
from tests.projections.builders import AT_ONCE, START, concluded, operator_locked, order_issued

NEW = Switching(Relay(supply="flat-1"))
POLICY = CreditPolicy(warnings_micros=(5_000_000,))
LATER = START + timedelta(hours=1)


def situation(
    balance_micros: int, switching: Switching = NEW, *, reconnection: Reconnection = "automatic"
) -> Situation:
    return Situation(
        supply="flat-1",
        site="riverside",
        concentrator="conc-1",
        meter="meter-1",
        has_relay=True,
        account="anna",
        standing=standing(balance_micros),
        reconnection=reconnection,
        switching=switching,
        ledger_position=77,
        rules=AT_ONCE,
    )


def standing(balance_micros: int, *, policy: CreditPolicy = POLICY, **figures: Any) -> CreditStanding:
    return credit_standing(policy, AccountFigures(balance_micros=balance_micros, **figures), START)


def words(facts: tuple[object, ...]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


def order(action: str) -> OrderIssued:
    return order_issued("flat-1", "anna", action, sequence=3, at=START)


def cut_off(*, outcome: RelayOutcome | None = "confirmed", readback: str | None = None) -> Switching:
    """Warned, locked for credit and ordered open, with that outcome."""
    relay = replace(NEW.relay, warned=True, locks=frozenset({"credit"}), version=2)
    switching = switched(replace(NEW, relay=relay), order("open"))
    if outcome is None:
        return switching
    return switched(switching, concluded(order("open"), outcome, readback=readback, at=START))


@pytest.mark.parametrize(
    ("balance_micros", "facts", "is_cut"),
    [
        (5_000_000, [], False),
        (4_999_999, ["LowBalanceWarned"], False),
        (1, ["LowBalanceWarned"], False),
        (0, ["LowBalanceWarned", "LockSet"], True),
        (-1, ["LowBalanceWarned", "LockSet"], True),
    ],
)
def test_a_falling_balance_warns_below_the_threshold_and_cuts_at_zero(
    balance_micros: int, facts: list[str], is_cut: bool
) -> None:
    decision = decide(situation(balance_micros), now=START)
    assert words(decision.facts) == facts
    assert decision.order == (Order("open", "no-credit") if is_cut else None)


@pytest.mark.parametrize(
    ("reconnection", "expected"),
    [("automatic", Order("close", "topped-up")), ("confirm", None), ("arm", None)],
)
def test_a_top_up_clears_the_lock_but_closes_the_relay_only_where_the_site_reconnects_by_itself(
    reconnection: Reconnection, expected: Order | None
) -> None:
    decision = decide(situation(6_000_000, cut_off(), reconnection=reconnection), now=LATER)
    assert words(decision.facts) == ["WarningCleared", "LockCleared"]
    assert decision.order == expected


def test_a_supply_that_another_lock_holds_is_not_closed_by_a_top_up() -> None:
    switching = switched(cut_off(), operator_locked("flat-1", "anna", at=START))
    decision = decide(situation(6_000_000, switching), now=LATER)
    assert "LockCleared" in words(decision.facts)
    assert decision.order is None


def test_a_lock_that_somebody_else_set_opens_the_relay() -> None:
    switching = switched(NEW, operator_locked("flat-1", "anna", at=START))
    assert decide(situation(9_000_000, switching), now=LATER).order == Order("open", "locked-operator")


def test_a_supply_already_open_under_another_lock_is_locked_for_credit_without_another_order() -> None:
    relay = replace(NEW.relay, warned=True, locks=frozenset({"operator"}), version=2)
    switching = switched(replace(NEW, relay=relay), order("open"))
    switching = switched(switching, concluded(order("open"), "confirmed", at=START))
    decision = decide(situation(0, switching), now=LATER)
    assert words(decision.facts) == ["LockSet"]
    assert decision.order is None


def test_a_supply_without_a_relay_is_warned_but_never_switched() -> None:
    decision = decide(replace(situation(-1), has_relay=False), now=START)
    assert words(decision.facts) == ["LowBalanceWarned"]
    assert decision.order is None


@pytest.mark.parametrize("outcome", ["failed", "expired", "refused"])
def test_an_order_that_came_to_nothing_is_issued_again_after_its_pause(outcome: RelayOutcome) -> None:
    unchanged = situation(0, cut_off(outcome=outcome))
    assert not decide(unchanged, now=START + timedelta(seconds=9))
    decision = decide(unchanged, now=START + timedelta(seconds=10))
    assert (decision.facts, decision.order) == ((), Order("open", "no-credit"))


def test_an_order_without_any_result_is_issued_again_once_it_has_expired() -> None:
    unanswered = situation(0, cut_off(outcome=None))
    assert not decide(unanswered, now=START + timedelta(seconds=119))
    assert decide(unanswered, now=START + timedelta(seconds=120)).order == Order("open", "no-credit")


@pytest.mark.parametrize(
    ("outcome", "readback"),
    [("confirmed", None), ("superseded", None), ("failed", "open"), ("expired", "open")],
)
def test_an_order_that_reality_has_overtaken_is_not_issued_again(outcome: RelayOutcome, readback: str | None) -> None:
    assert not decide(situation(0, cut_off(outcome=outcome, readback=readback)), now=LATER)


def test_what_was_read_before_an_order_does_not_count_as_its_fulfilment() -> None:
    # Opened, closed (result lost), to be opened again: "open" was read before the relay was closed.
    reopened = switched(cut_off(), order_issued("flat-1", "anna", "close", sequence=5, at=START))
    reopened = switched(reopened, order_issued("flat-1", "anna", "open", sequence=6, at=START))
    unread = order_issued("flat-1", "anna", "open", sequence=6, at=START)
    failed = switched(reopened, concluded(unread, "failed", readback="unknown", at=START))
    for switching in (reopened, failed):
        assert switching.relay.actual == "open"
        assert decide(situation(0, switching), now=LATER).order == Order("open", "no-credit")


def test_a_failed_cut_is_not_repeated_when_a_top_up_has_come() -> None:
    decision = decide(situation(9_000_000, cut_off(outcome="failed")), now=LATER)
    assert decision.order == Order("close", "topped-up")


def test_a_failed_closing_is_not_repeated_where_the_site_no_longer_reconnects_by_itself() -> None:
    relay = replace(NEW.relay, desired="closed", version=2)
    closing = switched(replace(NEW, relay=relay), order("close"))
    closing = switched(closing, concluded(order("close"), "failed", at=START))
    assert decide(situation(9_000_000, closing), now=LATER).order == Order("close", "no-credit")
    assert not decide(situation(9_000_000, closing, reconnection="confirm"), now=LATER)


def test_pauses_double_and_are_bounded() -> None:
    seconds = [retry_pause(attempts).total_seconds() for attempts in (1, 2, 3, 4, 7, 8, 9, 500)]
    assert seconds == [10, 20, 40, 80, 640, 900, 900, 900]


def test_tries_are_counted_for_the_same_end_only_and_begin_anew_after_success() -> None:
    failed = cut_off(outcome="failed")
    again = switched(failed, order_issued("flat-1", "anna", "open", sequence=5, at=START))
    assert (failed.attempts, again.attempts) == (1, 2)
    other_way = switched(again, order_issued("flat-1", "anna", "close", sequence=6, at=START))
    assert other_way.attempts == 1
    succeeded = switched(cut_off(), order_issued("flat-1", "anna", "open", sequence=5, at=START))
    assert succeeded.attempts == 1


def test_a_confirmation_told_twice_counts_once_and_one_of_an_older_order_not_at_all() -> None:
    twice = switched(cut_off(), concluded(order("open"), "confirmed", at=START))
    assert (twice.disconnections, twice.reconnections) == (1, 0)
    newer = switched(cut_off(outcome=None), order_issued("flat-1", "anna", "close", sequence=9, at=START))
    late = switched(newer, concluded(order("open"), "confirmed", at=START))
    assert (late.disconnections, late.readback, late.relay.order_outcome) == (0, "unknown", None)


def test_a_supply_whose_meter_reads_back_another_serial_is_warned_but_never_switched() -> None:
    barred = replace(situation(-1), is_barred=True)
    decision = decide(barred, now=START)
    assert words(decision.facts) == ["LowBalanceWarned"]
    assert decision.order is None
    assert decide(situation(-1), now=START).order is not None


def test_an_order_given_again_names_what_keeps_the_supply_off_now() -> None:
    """Locked for maintenance meanwhile: "no-credit" would be refused for a protected supply, and would not be so."""
    switching = switched(cut_off(outcome="failed"), operator_locked("flat-1", "anna", at=START))
    assert decide(situation(0, switching), now=LATER).order == Order("open", "locked-operator")
