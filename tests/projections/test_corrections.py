"""What a correction gives back or claims shows in every read model as the difference that it is."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection

from projections import queries
from tests.projections.builders import (
    START,
    Story,
    episode_of,
    reading_held,
    usage_corrected,
    usage_debited,
)
from tests.projections.conftest import Project


def test_what_is_given_back_lowers_what_was_debited_and_is_not_paid_in(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.move_in("flat-1", "anna", credit_micros=20_000_000)
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=3_000_000, usage_milliwh=1_000_000))
    story.tell(usage_corrected(supply="flat-1", amounts_micros={"anna": -1_000_000}, usage_milliwh=400_000))
    project()
    (balance,) = queries.balances(finance)
    assert (balance.balance, balance.debited, balance.credited) == (Decimal(18), Decimal(2), Decimal(20))
    assert (balance.usage_milliwh, balance.debits, balance.top_ups) == (Decimal(400_000), 1, 1)


def test_a_correction_may_cost_more_and_touch_another_account(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=3_000_000, usage_milliwh=1_000_000))
    story.tell(usage_debited(supply="flat-1", account="ben", amount_micros=3_000_000, usage_milliwh=1_000_000))
    more = {"anna": 500_000, "ben": -1}
    story.tell(usage_corrected(supply="flat-1", amounts_micros=more, usage_milliwh=1_200_000))
    project()
    anna, ben = queries.balances(finance)
    assert (anna.balance, anna.usage_milliwh) == (Decimal("-3.5"), Decimal(1_200_000))
    assert (ben.balance, ben.usage_milliwh) == (Decimal("-2.999999"), Decimal(1_000_000))
    trial = queries.trial_balance(finance)
    assert trial.total == 0
    assert {row.code: row.amount for row in trial.rows}["liabilities:prepayment"] == Decimal("6.499999")


def test_better_quality_of_the_same_energy_moves_nothing(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=3_000_000, usage_milliwh=1_000_000))
    project()
    before = queries.balances(finance), queries.trial_balance(finance).rows
    story.tell(usage_corrected(supply="flat-1", amounts_micros={"anna": 0}, usage_milliwh=1_000_000))
    project()
    assert (queries.balances(finance), queries.trial_balance(finance).rows) == before


def test_a_correction_leaves_an_episode_open(story: Story, finance: Connection[Any], project: Project) -> None:
    story.tell(reading_held(supply="flat-1", claimed_milliwh=100))
    story.tell(
        usage_corrected(
            supply="flat-1",
            amounts_micros={"anna": 1},
            usage_milliwh=1,
            episode=episode_of("flat-1", START),
            at=START + timedelta(hours=1),
        )
    )
    project()
    assert queries.figures(finance).held_milliwh == 100
