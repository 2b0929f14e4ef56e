"""One fact of every topic of credit, with every field that it may leave out."""

from datetime import date
from typing import Any

from ledger.domain.account import AccountCredited
from ledger.domain.account_facts import AccountClosed, AdvanceTax
from ledger.domain.booking import booked
from ledger.domain.credit.applying import Applied
from ledger.domain.credit.facts import ChargeAccrued, DebtAgreed, EmergencyCreditTaken, InstalmentCollected
from ledger.domain.credit.policy import (
    CreditPolicy,
    CreditPolicySet,
    DebtTerms,
    EmergencyCredit,
    FriendlyHours,
    FriendlyTimes,
)
from ledger.domain.event import Fact
from ledger.domain.payer import PayerAccountsSet
from ledger.domain.protection import ProtectionLifted, ProtectionReviewLapsed, SupplyProtected
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

_ORDER: dict[str, Any] = {
    "account": "room-1-a",
    "reason": "agreed",
    "operator": "li",
    "key_hash": "1e" * 32,
    "approved_by": "wang",
    "proposal": "agree-debt-1e1e1e1e1e",
    "recorded_at": MOVED_IN,
}
_TAXES = [AdvanceTax("room-1-a", "vat", -57_522)]

CREDIT_FACTS: list[Fact] = [
    PayerAccountsSet(
        payer="dormitory-office", accounts=("room-1-a", "room-2-a"), operator="li", recorded_at=MOVED_IN
    ),
    SupplyProtected(
        supply="room-1",
        category="life-support",
        evidence="doc-2026-17",
        review_on=date(2027, 3, 1),
        operator="li",
        recorded_at=MOVED_IN,
    ),
    ProtectionReviewLapsed(supply="room-1", review_on=date(2027, 3, 1), recorded_at=MOVED_IN),
    ProtectionLifted(supply="room-1", operator="li", approved_by="wang", reason="moved-out", recorded_at=MOVED_IN),
    EmergencyCreditTaken(**_ORDER, limit_micros=10_000_000, balance_micros=4_000_000, channel="kiosk"),
    booked(DebtAgreed(**_ORDER, amount_micros=30_000_000, source="brought-forward", taxes=_TAXES)),
    booked(
        InstalmentCollected(
            account="room-1-a",
            local_date=MOVED_IN.date(),
            week="2026-W10",
            amount_micros=500_000,
            taxes=_TAXES,
            recorded_at=MOVED_IN,
        )
    ),
    booked(
        ChargeAccrued(
            account="room-1-a",
            supply="room-1",
            debit_position=31,
            debit_version=7,
            amount_micros=800_000,
            taxes=_TAXES,
            recorded_at=MOVED_IN,
        )
    ),
    booked(
        AccountCredited(
            account="room-1-a",
            amount_micros=50_000_000,
            channel="kiosk",
            reference_hash="",
            key_hash="1e" * 32,
            applied=[
                Applied("debt", 10_000_000),
                Applied("accrued", 800_000),
                Applied("below-threshold", 200_000),
                Applied("emergency", 10_000_000),
                Applied("balance", 29_000_000),
            ],
            week="2026-W10",
            is_repaid=True,
            payer="dormitory-office",
            recorded_at=MOVED_IN,
        )
    ),
    booked(
        AccountClosed(
            **_ORDER,
            channel="bank",
            debt_paid_micros=800_000,
            paid_out_micros=9_200_000,
            rounding_micros=0,
            overdrawn_micros=0,
            accrued_micros=800_000,
        )
    ),
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
