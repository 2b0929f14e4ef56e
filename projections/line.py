"""The line at which an account's supplies are cut, as it was drawn: a step for each policy that moved it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ledger.domain.credit.figures import AccountFigures, line_micros
from ledger.domain.credit.policy import CreditPolicySet, by_settings, policy_at
from ledger.domain.event import Fact
from ledger.store.log import Logged


@dataclass(frozen=True, slots=True)
class LineStep:
    """The line moved at an instant, by the policy at a position; before it was at `before_micros`."""

    position: int
    at: datetime
    before_micros: int

    def is_after(self, position: int, fact: Fact) -> bool:
        """Tell whether the line had not moved yet when this event came."""
        return position < self.position or fact.recorded_at < self.at


def line_steps(
    told: Iterable[Logged], figures: AccountFigures, now: datetime, *, account: str, account_class: str
) -> list[LineStep]:
    """Return where an account's line moved until now, the newest step first: by its site's events, at its figures."""
    policies = [(event.position, event.fact) for event in told if isinstance(event.fact, CreditPolicySet)]
    dated = sorted(
        (_counts_from(fact), position, fact)
        for position, fact in policies
        if fact.account in {"", account} and fact.account_class in {"", account_class}
    )
    steps: list[LineStep] = []
    before = line_micros(by_settings(None), figures)
    for count, (at, position, _) in enumerate(dated, 1):
        if at > now:
            break
        begun = [fact for _, _, fact in dated[:count]]
        policy = policy_at(begun, (), at, account=account, account_class=account_class)
        after = line_micros(policy, figures)
        if after != before:
            steps.append(LineStep(position, at, before))
        before = after
    return steps[::-1]


def _counts_from(policy: CreditPolicySet) -> datetime:
    """A policy that was told late moved no line before that."""
    return max(policy.effective_from, policy.recorded_at)
