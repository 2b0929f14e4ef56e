"""The money half of credit against a plain model, on a real ledger: every top-up, every cap, every micro-unit."""

import os
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.domain.account import AccountCredited
from ledger.domain.credit.policy import CreditPolicy, DebtTerms, EmergencyCredit, Part
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.store.standing import Standing
from ledger.usecases.accounts import open_account, top_up
from ledger.usecases.credit.commands import AgreeDebt, TakeEmergencyCredit
from ledger.usecases.credit.daily import collect_instalment
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.credit.standing import account_credit
from ledger.usecases.money.attempt import By
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.sites import change_site_settings
from ledger.values.errors import Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till
from tests.services.postgres import Database

IS_LONG = os.environ.get("WATTLEDGER_HYPOTHESIS") == "long"
SEQUENCES = 2_000 if IS_LONG else 12
ORDERS: list[tuple[Part, ...]] = [
    ("debt", "accrued", "below-threshold", "emergency", "balance"),
    ("below-threshold", "emergency", "debt", "accrued", "balance"),
    ("below-threshold", "debt", "accrued", "emergency", "balance"),
]
AMOUNTS = st.integers(1, 60)


@dataclass
class Plain:
    """An account kept as anybody would on paper; a week's repayments by the number of its Monday."""

    balance: int = 0
    debt: int = 0
    is_taken: bool = False
    repaid: dict[int, int] = field(default_factory=dict)

    def cap_left(self, policy: CreditPolicy, week: int) -> int:
        cap = policy.debt.week_cap_micros
        return self.debt if cap is None else max(min(self.debt, cap - self.repaid.get(week, 0)), 0)

    def pays(self, policy: CreditPolicy, amount: int, week: int) -> list[tuple[str, int]]:
        """Share a top-up out coin by coin: each goes to the first part in the order that still wants one."""
        wants_debt = min(amount * policy.debt.top_up_basis_points // 10_000, self.cap_left(policy, week))
        limit = policy.emergency.limit_micros if policy.emergency and self.is_taken else 0
        shares: dict[str, int] = {}
        for _ in range(amount):
            for part in policy.order:
                wanted = {
                    "debt": shares.get("debt", 0) < wants_debt,
                    "accrued": False,
                    "below-threshold": self.balance < -limit,
                    "emergency": -limit <= self.balance < 0,
                    "balance": True,
                }[part]
                if wanted:
                    shares[part] = shares.get(part, 0) + 1
                    if part == "debt":
                        self.debt -= 1
                        self.repaid[week] = self.repaid.get(week, 0) + 1
                    else:
                        self.balance += 1
                    break
        if self.balance > 0:
            self.is_taken = False
        return list(shares.items())


class CreditMachine(RuleBasedStateMachine):
    """What happens to one account, to the ledger and on paper. The line is at 0."""

    ledger: Ledger
    begun: "Begun"
    numbers = iter(range(10**9))

    @initialize(
        order=st.sampled_from(ORDERS),
        points=st.sampled_from([0, 2_500, 3_333, 10_000]),
        cap=st.none() | st.integers(0, 30),
        per_day=st.integers(0, 6),
        limit=st.integers(1, 20),
        offered=st.integers(-5, 20),
    )
    def opens(self, order: Any, points: int, cap: int | None, per_day: int, limit: int, offered: int) -> None:
        number = next(self.numbers)
        with self.ledger.datastore.get_connection() as connection:
            self.begun.position = head_of(connection)[0]
        self.account, self.site = f"a-{number}", f"site-{number}"
        self.now = MOVED_IN + timedelta(hours=1)
        self.plain = Plain()
        self.till = Till(self.ledger, prefix=f"{self.account}-")
        self.policy = CreditPolicy(
            order=order,
            emergency=EmergencyCredit(limit_micros=limit, offered_below_micros=offered),
            debt=DebtTerms(per_day_micros=per_day, top_up_basis_points=points, week_cap_micros=cap),
        )
        change_site_settings(self.ledger, site=self.site, effective_from=MOVED_IN, now=MOVED_IN)
        open_account(self.ledger, account=self.account, site=self.site, currency="CNY", now=MOVED_IN)
        self._sets_policy()

    def _sets_policy(self) -> None:
        set_credit_policy(
            self.ledger, site=self.site, policy=self.policy, effective_from=self.now, operator="li", now=self.now
        )

    @property
    def week(self) -> int:
        return (self.now.date().toordinal() - 1) // 7

    def _by(self) -> By:
        return By(operator="li", reason="test", key=f"{self.account}-{next(self.numbers)}", now=self.now)

    @rule(amount=AMOUNTS)
    def tops_up(self, amount: int) -> None:
        booked = top_up(
            self.ledger,
            account=self.account,
            amount_micros=amount,
            channel="kiosk",
            key=f"{self.account}-{next(self.numbers)}",
            now=self.now,
        )
        found = self.ledger.event_at(booked.position)
        assert found is not None
        assert isinstance(found.fact, AccountCredited)
        lines = [(line.part, line.amount_micros) for line in found.fact.applied]
        assert sum(paid for _, paid in lines) == amount
        shared = dict(self.plain.pays(self.policy, amount, self.week))
        assert lines == [(part, shared[part]) for part in self.policy.order if part in shared]

    @rule(amount=AMOUNTS)
    def uses(self, amount: int) -> None:
        self.till.uses(self.account, f"{amount / 1_000_000:.6f}")
        self.plain.balance -= amount

    @rule(amount=AMOUNTS)
    def agrees_on_debt(self, amount: int) -> None:
        command = AgreeDebt(account=self.account, amount_micros=amount, source="brought-forward")
        carry_out(self.ledger, command, by=self._by())
        self.plain.debt += amount

    @precondition(lambda self: self.plain.balance < 0)
    @rule()
    def makes_debt_of_what_is_below_zero(self) -> None:
        amount = -self.plain.balance
        carry_out(self.ledger, AgreeDebt(account=self.account, amount_micros=amount, source="balance"), by=self._by())
        self.plain.balance, self.plain.debt = 0, self.plain.debt + amount

    @rule()
    def asks_for_emergency_credit(self) -> None:
        emergency = self.policy.emergency
        assert emergency is not None
        is_offered = not self.plain.is_taken and self.plain.balance < emergency.offered_below_micros
        try:
            carry_out(self.ledger, TakeEmergencyCredit(account=self.account), by=self._by())
        except Refused:
            assert not is_offered
        else:
            assert is_offered
            self.plain.is_taken = True

    @rule()
    def pays_the_day_s_instalment(self) -> None:
        cap_left = self.plain.cap_left(self.policy, self.week)
        due = min(self.policy.debt.per_day_micros, cap_left, self.plain.balance - 1)
        booked = collect_instalment(self.ledger, account=self.account, now=self.now)
        if booked.position and not booked.is_repeat:
            self.plain.balance -= due
            self.plain.debt -= due
            self.plain.repaid[self.week] = self.plain.repaid.get(self.week, 0) + due
        else:
            assert booked.is_repeat or due <= 0

    @rule(days=st.integers(1, 5))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(cap=st.none() | st.integers(0, 30), points=st.sampled_from([0, 2_500, 10_000]))
    def another_policy_is_set(self, cap: int | None, points: int) -> None:
        debt = DebtTerms(self.policy.debt.per_day_micros, points, cap)
        self.policy = CreditPolicy(order=self.policy.order, emergency=self.policy.emergency, debt=debt)
        self.now += timedelta(minutes=1)
        self._sets_policy()

    @invariant()
    def stands_as_on_paper(self) -> None:
        if not hasattr(self, "plain"):
            return
        credit = account_credit(self.ledger, account=self.account, now=self.now)
        figures, standing = credit.figures, credit.standing
        assert (figures.balance_micros, figures.debt_micros) == (self.plain.balance, self.plain.debt)
        assert (standing.emergency == "taken") == self.plain.is_taken
        emergency = self.policy.emergency
        assert emergency is not None
        limit = emergency.limit_micros if self.plain.is_taken else 0
        assert standing.is_out == (self.plain.balance <= -limit)
        # What the ledger says is needed, paid on paper: on again with it, off still with a micro-unit less.
        for short, is_on in ((0, True), (1, False)):
            if standing.needed_micros > short:
                paper = Plain(self.plain.balance, self.plain.debt, self.plain.is_taken, dict(self.plain.repaid))
                paper.pays(self.policy, standing.needed_micros - short, self.week)
                assert (paper.balance > (-limit if paper.is_taken else 0)) == is_on


@dataclass
class Begun:
    """Where the sequence under way began: its accounts are new, so nothing of them is further back."""

    position: int = 0

    def checkpoint(self, _connection: object, _accounts: object) -> Standing:
        return Standing(self.position)


@pytest.mark.timeout(3_600)
def test_credit_against_plain_accounts(database: Database) -> None:
    """Debt is never repaid beyond its cap, emergency credit never offered twice, and nothing is lost."""
    begun = Begun()
    with Ledger(url=database.url("wattledger_writer"), checkpoint=begun.checkpoint) as ledger:
        run_state_machine_as_test(
            type("Machine", (CreditMachine,), {"ledger": ledger, "begun": begun}),
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
