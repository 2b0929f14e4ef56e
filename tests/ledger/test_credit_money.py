"""Credit policy on a real ledger: top-ups applied in its order, emergency credit, debt and its caps."""

from datetime import timedelta

import pytest

from ledger.domain.account import AccountCredited
from ledger.domain.credit.policy import CreditPolicy, DebtTerms, EmergencyCredit
from ledger.store.application import Ledger
from ledger.usecases.credit.commands import AgreeDebt, TakeEmergencyCredit
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.credit.standing import AccountCredit, account_credit
from ledger.usecases.money.paying_out import CloseAccount
from ledger.usecases.sites import change_site_settings
from ledger.values.errors import InvalidValue, NotFound, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, micros

POLICY = CreditPolicy(
    emergency=EmergencyCredit(limit_micros=micros(10), offered_below_micros=micros(5)),
    debt=DebtTerms(top_up_basis_points=2_500, week_cap_micros=micros(8)),
    top_up_least_micros=micros(1),
    top_up_most_micros=micros(500),
)


def sets(ledger: Ledger, policy: CreditPolicy | None, **words: str) -> int:
    return set_credit_policy(
        ledger, site="north", policy=policy, effective_from=MOVED_IN, operator="li", now=MOVED_IN, **words
    )


@pytest.fixture
def till(ledger: Ledger) -> Till:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN - timedelta(days=1), now=MOVED_IN)
    sets(ledger, POLICY)
    till = Till(ledger)
    till.opens("a-1")
    return till


def credit(till: Till, account: str = "a-1") -> AccountCredit:
    return account_credit(till.ledger, account=account, now=MOVED_IN)


def went_to(till: Till, position: int) -> list[tuple[str, int]]:
    found = till.ledger.event_at(position)
    assert found is not None
    assert isinstance(found.fact, AccountCredited)
    return [(line.part, line.amount_micros // 1_000_000) for line in found.fact.applied]


def test_a_top_up_is_applied_in_the_policy_s_order_and_its_event_says_so(till: Till) -> None:
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(100), source="brought-forward"))
    till.tops_up("a-1", 4)
    till.orders(TakeEmergencyCredit(account="a-1"))
    till.uses("a-1", 15)
    assert credit(till).standing.needed_micros == 2_666_667
    position = till.tops_up("a-1", 24)
    assert went_to(till, position) == [("debt", 6), ("below-threshold", 2), ("emergency", 10), ("balance", 6)]
    assert till.stands("a-1", balance=6, debt=93)
    assert credit(till).standing.emergency == "none"


def test_debt_takes_no_more_than_its_cap_in_a_week_and_begins_again_in_the_next(till: Till) -> None:
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(100), source="brought-forward"))
    assert went_to(till, till.tops_up("a-1", 20)) == [("debt", 5), ("balance", 15)]
    assert went_to(till, till.tops_up("a-1", 20)) == [("debt", 3), ("balance", 17)]
    assert went_to(till, till.tops_up("a-1", 20)) == [("balance", 20)]
    assert credit(till).figures.collected_micros == micros(8)


def test_emergency_credit_is_offered_once_until_it_is_paid_back(till: Till) -> None:
    till.tops_up("a-1", 10)
    with pytest.raises(Refused, match="its balance is not below the one at which it is offered"):
        till.orders(TakeEmergencyCredit(account="a-1"))
    till.uses("a-1", 6)
    till.orders(TakeEmergencyCredit(account="a-1"))
    till.uses("a-1", 13)
    assert not credit(till).standing.is_out
    with pytest.raises(Refused, match="taken already"):
        till.orders(TakeEmergencyCredit(account="a-1"))
    till.tops_up("a-1", 9)
    with pytest.raises(Refused, match="taken already"):
        till.orders(TakeEmergencyCredit(account="a-1"))
    till.tops_up("a-1", 1)
    till.orders(TakeEmergencyCredit(account="a-1"))


def test_what_a_debt_of_the_balance_takes_over_is_no_longer_below_zero(till: Till) -> None:
    till.uses("a-1", 30)
    with pytest.raises(Refused, match=r"30\.00 below zero; 31\.00 of it cannot become debt"):
        till.orders(AgreeDebt(account="a-1", amount_micros=micros(31), source="balance"))
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(30), source="balance"))
    assert till.stands("a-1", balance=0, debt=30)


def test_a_top_up_below_the_least_or_above_the_most_is_refused(till: Till) -> None:
    with pytest.raises(InvalidValue, match=r"0\.50 is below 1\.00, the least"):
        till.tops_up("a-1", "0.5")
    with pytest.raises(InvalidValue, match=r"501\.00 is above 500\.00, the most"):
        till.tops_up("a-1", 501)
    till.tops_up("a-1", 501, is_cleared=True)


def test_closing_pays_the_debt_out_of_the_balance_and_refunds_the_rest(till: Till) -> None:
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(10), source="brought-forward"))
    till.tops_up("a-1", 40)
    till.orders(CloseAccount(account="a-1", channel="bank"))
    assert till.stands("a-1", balance=0, debt=0)


def test_a_policy_that_stands_is_not_set_again_and_one_of_an_account_goes_before_it(till: Till) -> None:
    assert sets(till.ledger, POLICY) == 0
    assert sets(till.ledger, CreditPolicy(cut_at_micros=-5), account="a-1") > 0
    assert credit(till).policy.cut_at_micros == -5
    sets(till.ledger, None, account="a-1")
    assert credit(till).policy == POLICY


def test_a_policy_of_nothing_known_is_refused(till: Till) -> None:
    with pytest.raises(NotFound, match="site 'south' has no settings"):
        set_credit_policy(
            till.ledger, site="south", policy=POLICY, effective_from=MOVED_IN, operator="li", now=MOVED_IN
        )
    with pytest.raises(NotFound, match="no account 'a-9'"):
        sets(till.ledger, POLICY, account="a-9")
