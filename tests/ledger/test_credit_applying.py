"""The order in which a top-up is applied, and what is needed to be back on."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.credit.applying import applied, is_repaid, needed_micros, to_balance_micros
from ledger.domain.credit.policy import (
    DEFAULT_ORDER,
    CreditPolicy,
    DebtTerms,
    EmergencyCredit,
    FriendlyHours,
    FriendlyTimes,
)
from ledger.domain.credit.standing import AccountFigures, credit_standing
from tests.ledger.builders import MOVED_IN

WEEK = "2026-W10"
POLICY = CreditPolicy(
    emergency=EmergencyCredit(limit_micros=10, offered_below_micros=5),
    debt=DebtTerms(top_up_basis_points=2_500, week_cap_micros=8),
)
ORDERS = [
    (*order, "balance")
    for order in permutations(DEFAULT_ORDER[:4])
    if order.index("below-threshold") < order.index("emergency")
]


def shown(policy: CreditPolicy, figures: AccountFigures, amount_micros: int) -> list[tuple[str, int]]:
    return [(line.part, line.amount_micros) for line in applied(policy, figures, amount_micros, week=WEEK)]


def test_a_top_up_pays_debt_up_to_its_cap_what_accrued_the_line_emergency_credit_and_then_the_balance() -> None:
    figures = AccountFigures(balance_micros=-13, debt_micros=50, accrued_micros=4, emergency_limit_micros=10)
    assert shown(POLICY, figures, 40) == [
        ("debt", 8),
        ("accrued", 4),
        ("below-threshold", 3),
        ("emergency", 10),
        ("balance", 15),
    ]
    assert shown(POLICY, figures, 12) == [("debt", 3), ("accrued", 4), ("below-threshold", 3), ("emergency", 2)]


def test_the_order_is_the_policy_s() -> None:
    policy = CreditPolicy(
        debt=DebtTerms(top_up_basis_points=10_000),
        order=("below-threshold", "emergency", "debt", "accrued", "balance"),
    )
    figures = AccountFigures(balance_micros=-5, debt_micros=7)
    assert shown(policy, figures, 9) == [("below-threshold", 5), ("debt", 4)]


def test_what_was_collected_this_week_is_off_the_cap_and_another_week_s_is_not() -> None:
    figures = AccountFigures(balance_micros=0, debt_micros=50, collected_micros=6, collected_week=WEEK)
    assert shown(POLICY, figures, 40) == [("debt", 2), ("balance", 38)]
    assert shown(POLICY, replace(figures, collected_week="2026-W09"), 40) == [("debt", 8), ("balance", 32)]


def test_emergency_credit_taken_lowers_the_line_and_is_not_offered_again() -> None:
    low = AccountFigures(balance_micros=4)
    assert credit_standing(POLICY, low, MOVED_IN).emergency == "offered"
    assert credit_standing(POLICY, AccountFigures(balance_micros=5), MOVED_IN).emergency == "none"
    taken = AccountFigures(balance_micros=-4, emergency_limit_micros=10)
    standing = credit_standing(POLICY, taken, MOVED_IN)
    assert (standing.emergency, standing.emergency_used_micros, standing.may_be_cut) == ("taken", 4, False)
    assert credit_standing(POLICY, replace(taken, balance_micros=-10), MOVED_IN).may_be_cut


def test_emergency_credit_that_comes_by_itself_needs_nobody_to_ask() -> None:
    policy = CreditPolicy(emergency=EmergencyCredit(limit_micros=10, offered_below_micros=0, taken="automatic"))
    standing = credit_standing(policy, AccountFigures(balance_micros=-4), MOVED_IN)
    assert (standing.emergency, standing.emergency_used_micros, standing.threshold_micros) == ("taken", 4, -10)
    assert shown(policy, AccountFigures(balance_micros=-12), 13) == [
        ("below-threshold", 2),
        ("emergency", 10),
        ("balance", 1),
    ]


def test_warnings_have_levels() -> None:
    policy = CreditPolicy(warnings_micros=(20, 10, 5))
    levels = [
        credit_standing(policy, AccountFigures(balance_micros=balance), MOVED_IN).warning_level
        for balance in (20, 19, 10, 9, 4)
    ]
    assert levels == [0, 1, 1, 2, 3]


def test_a_charge_that_time_alone_made_cuts_nobody_before_friendly_hours_have_ended() -> None:
    nights = FriendlyHours(
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"), 18 * 60, 9 * 60
    )
    policy = CreditPolicy(friendly=FriendlyTimes(hours=(nights,)))
    noon = MOVED_IN.replace(hour=12)
    figures = AccountFigures(balance_micros=-1, time_charges_micros=3, time_charged_at=noon)
    assert not credit_standing(policy, figures, noon).may_be_cut
    assert not credit_standing(policy, figures, noon.replace(hour=8) + timedelta(days=1)).may_be_cut
    assert credit_standing(policy, figures, noon.replace(hour=9) + timedelta(days=1)).may_be_cut
    assert credit_standing(policy, replace(figures, balance_micros=-3), noon).may_be_cut


@st.composite
def situations(draw: st.DrawFn) -> tuple[CreditPolicy, AccountFigures]:
    small = st.integers(0, 60)
    policy = CreditPolicy(
        cut_at_micros=draw(st.integers(-5, 5)),
        reconnect_micros=draw(st.integers(0, 5)),
        debt=DebtTerms(
            top_up_basis_points=draw(st.sampled_from([0, 1, 2_500, 3_333, 10_000])),
            week_cap_micros=draw(st.none() | small),
        ),
        emergency=draw(
            st.none() | st.builds(EmergencyCredit, small, small, st.sampled_from(["automatic", "on-request"]))
        ),
        order=draw(st.sampled_from(ORDERS)),
    )
    figures = AccountFigures(
        balance_micros=draw(st.integers(-80, 40)),
        disputed_micros=draw(st.integers(0, 10)),
        debt_micros=draw(small),
        accrued_micros=draw(small),
        emergency_limit_micros=draw(st.just(0) | small),
        collected_micros=draw(small),
        collected_week=draw(st.sampled_from([WEEK, "2026-W09"])),
    )
    return policy, figures


def after(policy: CreditPolicy, figures: AccountFigures, amount_micros: int) -> AccountFigures:
    """What a top-up leaves: its balance part, and the emergency credit given up where it is paid back."""
    lines = applied(policy, figures, amount_micros, week=WEEK)
    there = replace(figures, balance_micros=figures.balance_micros + to_balance_micros(lines))
    return replace(there, emergency_limit_micros=0) if is_repaid(policy, there.usable_micros) else there


@given(situations(), st.integers(1, 200))
def test_every_top_up_adds_up_and_pays_nothing_beyond_what_is_owed(
    situation: tuple[CreditPolicy, AccountFigures], amount_micros: int
) -> None:
    policy, figures = situation
    lines = applied(policy, figures, amount_micros, week=WEEK)
    paid = {line.part: line.amount_micros for line in lines}
    assert sum(paid.values()) == amount_micros
    assert len(paid) == len(lines)
    assert [line.part for line in lines] == [part for part in policy.order if part in paid]
    assert min(paid.values()) > 0
    assert paid.get("debt", 0) <= figures.debt_micros
    assert paid.get("accrued", 0) <= figures.accrued_micros
    cap = policy.debt.week_cap_micros
    if paid.get("debt") and cap is not None:
        collected = figures.collected_micros if figures.collected_week == WEEK else 0
        assert paid["debt"] + collected <= cap


@given(situations())
def test_the_amount_needed_is_the_least_that_brings_a_supply_back(
    situation: tuple[CreditPolicy, AccountFigures],
) -> None:
    policy, figures = situation
    needed = needed_micros(policy, figures, week=WEEK)
    if needed == 0:
        assert credit_standing(policy, figures, MOVED_IN).may_come_back
        return
    assert credit_standing(policy, after(policy, figures, needed), MOVED_IN).may_come_back
    if needed > 1:
        assert not credit_standing(policy, after(policy, figures, needed - 1), MOVED_IN).may_come_back
