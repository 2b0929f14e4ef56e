"""The line at which an account's supplies are cut, as it was drawn: a step for each policy that was set for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, by_settings, policy_at
from ledger.domain.event import Fact
from ledger.store.log import Logged


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """Another policy counted from an instant on, by the event at a position; until then it was `before`."""

    position: int
    at: datetime
    before: CreditPolicy

    def is_after(self, position: int, fact: Fact) -> bool:
        """Tell whether the policy did not count yet when this event came."""
        return position < self.position or fact.recorded_at < self.at


def policy_steps(told: Iterable[Logged], now: datetime, *, account: str, account_class: str) -> list[PolicyStep]:
    """Return where an account's policy changed until now, the newest step first, by its site's events."""
    policies = [(event.position, event.fact) for event in told if isinstance(event.fact, CreditPolicySet)]
    dated = sorted(
        (_counts_from(fact), position, fact)
        for position, fact in policies
        if fact.account in {"", account} and fact.account_class in {"", account_class}
    )
    steps: list[PolicyStep] = []
    before = by_settings(None)
    for count, (at, position, _) in enumerate(dated, 1):
        if at > now:
            break
        steps.append(PolicyStep(position, at, before))
        begun = [fact for _, _, fact in dated[:count]]
        before = policy_at(begun, (), at, account=account, account_class=account_class)
    return steps[::-1]


def _counts_from(policy: CreditPolicySet) -> datetime:
    """A policy that was told late moved no line before that."""
    return max(policy.effective_from, policy.recorded_at)
