"""What credit policy and protection mean for the relay: who is cut, and who is not."""

from datetime import timedelta

import msgspec
from psycopg import Connection

from ledger.domain.credit.facts import EmergencyCreditTaken
from ledger.domain.credit.policy import CreditPolicy, CreditPolicySet, EmergencyCredit, FriendlyHours, FriendlyTimes
from ledger.domain.protection import ProtectionLifted, SupplyProtected
from projections.justify import justified
from tests.projections.builders import AT_ONCE, SITE, START, Story, rules_set, usage_corrected, usage_debited
from tests.projections.conftest import Project
from tests.projections.estate import Estate


def policy_set(policy: CreditPolicy) -> CreditPolicySet:
    return CreditPolicySet(site=SITE, effective_from=START, policy=policy, operator="li", recorded_at=START)


def is_cut(estate: Estate, project: Project, supply: str = "flat-1") -> bool:
    project()
    estate.decide()
    return estate.relay(supply).desired == "open"


def test_a_protected_supply_stays_on_with_nothing_left_until_two_people_lift_it(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    protected = SupplyProtected(
        supply="flat-1",
        category="life-support",
        evidence="doc-1",
        review_on=START.date() + timedelta(days=30),
        operator="li",
        recorded_at=START,
    )
    story.tell(protected)
    assert not is_cut(estate, project)
    story.tell(
        ProtectionLifted(supply="flat-1", operator="li", approved_by="wang", reason="moved-out", recorded_at=START)
    )
    assert is_cut(estate, project)


def test_emergency_credit_that_was_taken_keeps_a_supply_on_until_it_is_used(
    story: Story, estate: Estate, project: Project, finance: Connection[object]
) -> None:
    story.used_up("flat-1", "anna", left_micros=1_000_000)
    story.tell(policy_set(CreditPolicy(emergency=EmergencyCredit(limit_micros=10, offered_below_micros=5_000_000))))
    story.tell(emergency_taken(balance_micros=1_000_000))
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=10_999_999))
    assert not is_cut(estate, project)
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1))
    assert is_cut(estate, project)
    project()
    assert justified(finance, supply="flat-1").differences == ()


def test_what_a_correction_crossed_before_emergency_credit_was_taken_gives_its_grace_all_the_same(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna", left_micros=1_000_000)
    story.tell(
        rules_set(msgspec.structs.replace(AT_ONCE, grace_s=7200)),
        policy_set(CreditPolicy(emergency=EmergencyCredit(limit_micros=10, offered_below_micros=5_000_000))),
        usage_corrected(supply="flat-1", amounts_micros={"anna": 2_000_000}, usage_milliwh=1),
        usage_debited(supply="flat-1", account="anna", amount_micros=10_000_000),
        emergency_taken(balance_micros=-11_000_000, limit_micros=5_000_000),
    )
    assert not is_cut(estate, project)
    assert "grace-begun correction" in estate.kinds("flat-1")
    estate.later(timedelta(hours=2))
    assert is_cut(estate, project)


def emergency_taken(*, balance_micros: int, limit_micros: int = 10_000_000) -> EmergencyCreditTaken:
    return EmergencyCreditTaken(
        account="anna",
        limit_micros=limit_micros,
        balance_micros=balance_micros,
        channel="kiosk",
        reason="asked-for",
        operator="kiosk-1",
        key_hash="",
        recorded_at=START,
    )


def test_nobody_is_cut_in_friendly_hours_and_at_their_end_they_are(
    story: Story, estate: Estate, project: Project
) -> None:
    minute = START.hour * 60 + START.minute
    hours = FriendlyHours(
        ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
        minute % 1_440,
        (minute + 180) % 1_440,
    )
    story.used_up("flat-1", "anna")
    story.tell(policy_set(CreditPolicy(friendly=FriendlyTimes(hours=(hours,)))))
    assert not is_cut(estate, project)
    estate.later(START + timedelta(hours=3) - estate.now)
    assert is_cut(estate, project)
