"""What a top-up is applied to, in the order that the policy says, adding up to the micro-unit.

Debt takes its share of the whole top-up, up to its cap of the local week; what accrued is paid whole. The rest goes
to the balance, and is told in three steps: up to the line at which the supply is cut with emergency credit counted,
up to the line without (which pays emergency credit back), and what is left.
"""

import msgspec

from ledger.domain.credit.figures import AccountFigures, emergency_limit
from ledger.domain.credit.policy import CreditPolicy, Part

BASIS_POINTS = 10_000
# What stays on the account as its balance; the other parts pay what is owed beside it.
BALANCE_PARTS: frozenset[Part] = frozenset({"below-threshold", "emergency", "balance"})


class Applied(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """So much of a top-up went to a part; micro-units above zero."""

    part: Part
    amount_micros: int


def applied(policy: CreditPolicy, figures: AccountFigures, amount_micros: int, *, week: str) -> list[Applied]:
    """Apply a top-up (micro-units, above zero) made in a local week; parts that get nothing are left out."""
    lines: list[Applied] = []
    left, usable = amount_micros, figures.usable_micros
    threshold = policy.cut_at_micros - emergency_limit(policy, figures)
    for part in policy.order:
        due = {
            "debt": _debt_due(policy, figures, amount_micros, week),
            "accrued": figures.accrued_micros,
            "below-threshold": threshold - usable,
            "emergency": policy.cut_at_micros - max(usable, threshold),
            "balance": left,
        }[part]
        taken = min(left, max(due, 0))
        if taken:
            lines.append(Applied(part, taken))
        left -= taken
        usable += taken if part in BALANCE_PARTS else 0
    if left:
        raise AssertionError(f"an order of application ends with the balance, this one is {policy.order}")
    return lines


def to_balance_micros(lines: list[Applied]) -> int:
    """Return what of a top-up goes to the balance."""
    return sum(line.amount_micros for line in lines if line.part in BALANCE_PARTS)


def part_micros(lines: list[Applied], part: Part) -> int:
    """Return what of a top-up goes to a part."""
    return sum(line.amount_micros for line in lines if line.part == part)


def cap_left_micros(policy: CreditPolicy, figures: AccountFigures, week: str) -> int:
    """Return what debt may still take in a local week: no more than is owed, no more than the cap leaves."""
    cap = policy.debt.week_cap_micros
    if cap is None:
        return figures.debt_micros
    collected = figures.collected_micros if figures.collected_week == week else 0
    return max(min(figures.debt_micros, cap - collected), 0)


def is_repaid(policy: CreditPolicy, usable_micros: int) -> bool:
    """Tell whether emergency credit is paid back with so much: what there is, is enough without it."""
    return usable_micros > policy.cut_at_micros + policy.reconnect_micros


def needed_micros(policy: CreditPolicy, figures: AccountFigures, *, week: str) -> int:
    """Return the least top-up after which a supply that is off for credit may come back; 0 where it may already.

    What a top-up leaves on the balance never falls as it grows, so halving finds it.
    """
    line = policy.cut_at_micros - emergency_limit(policy, figures) + policy.reconnect_micros
    gap = line + 1 - figures.usable_micros
    if gap <= 0:
        return 0
    low, high = 0, gap + max(figures.debt_micros, 0) + max(figures.accrued_micros, 0)
    while high - low > 1:
        middle = (low + high) // 2
        if to_balance_micros(applied(policy, figures, middle, week=week)) >= gap:
            high = middle
        else:
            low = middle
    return max(high, policy.top_up_least_micros)


def _debt_due(policy: CreditPolicy, figures: AccountFigures, amount_micros: int, week: str) -> int:
    share = amount_micros * policy.debt.top_up_basis_points // BASIS_POINTS
    return min(share, cap_left_micros(policy, figures, week))
