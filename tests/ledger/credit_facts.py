"""One fact of every topic of credit, with every field that it may leave out."""

from datetime import date

from ledger.domain.credit.policy import (
    CreditPolicy,
    CreditPolicySet,
    DebtTerms,
    EmergencyCredit,
    FriendlyHours,
    FriendlyTimes,
)
from ledger.domain.event import Fact
from tests.ledger.builders import MOVED_IN

POLICY = CreditPolicy(
    zone="Asia/Shanghai",
    warnings_micros=(20_000_000, 10_000_000),
    cut_at_micros=-1_000_000,
    reconnect_micros=500_000,
    emergency=EmergencyCredit(limit_micros=10_000_000, offered_below_micros=5_000_000, taken="automatic"),
    friendly=FriendlyTimes(
        hours=(FriendlyHours(("saturday", "holiday"), 18 * 60, 9 * 60),),
        dates=(date(2026, 12, 24),),
        country="CN",
        subdivision="",
        holidays=(date(2026, 5, 4),),
    ),
    debt=DebtTerms(per_day_micros=500_000, top_up_basis_points=2_500, week_cap_micros=10_000_000),
    charges_while_off="accrued",
    top_up_least_micros=1_000_000,
    top_up_most_micros=5_000_000_000,
    order=("accrued", "debt", "below-threshold", "emergency", "balance"),
)

CREDIT_FACTS: list[Fact] = [
    CreditPolicySet(
        site="garden",
        effective_from=MOVED_IN,
        policy=POLICY,
        operator="li",
        account_class="student",
        account="room-1-a",
        recorded_at=MOVED_IN,
    ),
]
