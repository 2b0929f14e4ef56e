"""Where an account stands by its credit policy."""

from datetime import timedelta

from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, policy_at
from ledger.domain.credit.standing import AccountFigures, credit_standing
from ledger.domain.site import SiteSettingsChanged
from tests.ledger.builders import MOVED_IN

DAY = timedelta(days=1)
SETTINGS = SiteSettingsChanged(
    site="garden",
    effective_from=MOVED_IN,
    reconnection="confirm",
    warning_balance_micros=10_000_000,
    recorded_at=MOVED_IN,
)


def policy_set(
    cut_at_micros: int | None, *, account: str = "", account_class: str = "", days: int = 0
) -> CreditPolicySet:
    return CreditPolicySet(
        site="garden",
        effective_from=MOVED_IN + days * DAY,
        policy=None if cut_at_micros is None else CreditPolicy(cut_at_micros=cut_at_micros),
        operator="li",
        account=account,
        account_class=account_class,
        recorded_at=MOVED_IN,
    )


def cut_at(*policies: CreditPolicySet, days: int = 0) -> int:
    instant = MOVED_IN + days * DAY
    return policy_at(policies, [SETTINGS], instant, account="room-1-a", account_class="student").cut_at_micros


def test_without_a_policy_the_site_s_settings_warn_and_nothing_left_cuts() -> None:
    policy = policy_at([], [SETTINGS], MOVED_IN, account="room-1-a")
    one_left = credit_standing(policy, AccountFigures(balance_micros=1), MOVED_IN)
    assert (one_left.warning_level, one_left.may_be_cut) == (1, False)
    nothing_left = credit_standing(policy, AccountFigures(balance_micros=0), MOVED_IN)
    assert (nothing_left.may_be_cut, nothing_left.may_come_back, nothing_left.needed_micros) == (True, False, 1)


def test_an_account_s_own_policy_goes_before_its_class_s_and_that_before_the_site_s() -> None:
    site, student, own = policy_set(1), policy_set(2, account_class="student"), policy_set(3, account="room-1-a")
    assert cut_at(own, student, site) == 3
    assert cut_at(student, site, policy_set(4, account="room-2-a")) == 2
    assert cut_at(site, policy_set(5, account_class="staff")) == 1


def test_a_policy_holds_from_its_date_until_the_next_one_and_a_withdrawn_one_no_more() -> None:
    history = (policy_set(1), policy_set(2, days=2), policy_set(None, days=3))
    assert [cut_at(*history, days=days) for days in (0, 1, 2, 3)] == [1, 1, 2, 0]


def test_what_is_disputed_counts_as_there_and_a_dispute_spares() -> None:
    figures = AccountFigures(balance_micros=-5, disputed_micros=6, is_disputed=True)
    standing = credit_standing(CreditPolicy(), figures, MOVED_IN)
    assert (standing.usable_micros, standing.may_be_cut, standing.needed_micros) == (1, False, 0)
    figures = AccountFigures(balance_micros=-5, is_disputed=True)
    standing = credit_standing(CreditPolicy(), figures, MOVED_IN)
    assert (standing.is_out, standing.may_be_cut) == (True, False)
