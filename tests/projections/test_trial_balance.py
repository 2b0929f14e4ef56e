from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.domain.event import Fact
from ledger.store.log import head_of
from projections import journal, queries
from tests.projections.builders import START, Story, a_busy_month, revenue_codes, topped_up, usage_debited
from tests.projections.conftest import Project

AMOUNTS = st.integers(min_value=1, max_value=10**13)
ACCOUNTS = st.sampled_from(["anna", "ben", "chloe"])
MOVEMENTS = st.one_of(
    st.builds(lambda account, amount: topped_up(account=account, amount_micros=amount), ACCOUNTS, AMOUNTS),
    st.builds(
        lambda account, amount: usage_debited(supply=f"flat-of-{account}", account=account, amount_micros=amount),
        ACCOUNTS,
        AMOUNTS,
    ),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(facts=st.lists(MOVEMENTS, min_size=1, max_size=12))
def test_the_trial_balance_is_zero_at_every_position(
    facts: list[Fact], story: Story, finance: Connection[Any], project: Project
) -> None:
    before, _ = head_of(finance)
    story.tell(*facts)
    head, _ = head_of(finance)
    assert head == before + len(facts)
    for position in range(before, head + 1):
        trial = queries.trial_balance_at(finance, position=position)
        assert trial.total == 0
        assert sum(abs(row.amount) for row in trial.rows) > 0 or position == 0
    project(limit=5)
    projected = queries.trial_balance(finance)
    assert projected.position == head
    # The aggregates agree with the journal itself, code by code and posting by posting.
    assert projected.rows == queries.trial_balance_at(finance, position=head).rows


def test_what_is_charged_becomes_revenue_and_tax(story: Story, finance: Connection[Any], project: Project) -> None:
    story.move_in("flat-1", "anna", credit_micros=6_000_000)
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=600_000))
    project()
    trial = queries.trial_balance(finance)
    amounts = {row.code: row.amount for row in trial.rows}
    assert trial.total == 0
    assert amounts["assets:cash:counter"] == Decimal(6)
    assert amounts["liabilities:prepayment"] == Decimal("-5.4")
    assert sum(amounts[code] for code in revenue_codes()) == Decimal("-0.6")


def test_an_empty_ledger_has_an_empty_trial_balance(finance: Connection[Any]) -> None:
    trial = queries.trial_balance(finance)
    assert trial == queries.TrialBalance(0, Decimal(0), ())


def test_the_trial_balance_is_zero_at_the_end_of_every_day(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project()
    days = [START.date() + timedelta(days=number) for number in (-1_000, *range(-2, 9))]
    found = [queries.trial_balance_of_day(finance, day=day) for day in days]
    assert [trial.total for trial in found] == [0] * len(days)
    assert found[0].rows == ()
    assert len({trial.rows for trial in found}) > 6
    assert found[-1].rows == queries.trial_balance(finance).rows


def test_whole_blocks_and_the_rest_of_the_log_are_the_trial_balance(
    story: Story, finance: Connection[Any], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (journal, queries):
        monkeypatch.setattr(module, "BLOCK_POSITIONS", 7)
    story.tell_each(a_busy_month())
    head, _ = head_of(finance)
    straight = [queries.trial_balance_at(finance, position=position) for position in range(head + 1)]
    assert straight[head // 2].rows
    project(limit=5)
    with finance.cursor() as cursor:
        blocks = cursor.execute("SELECT count(DISTINCT block), max(block) FROM projections.journal_blocks").fetchone()
    assert blocks is not None
    assert blocks[0] > 3
    assert [queries.trial_balance_at(finance, position=position) for position in range(head + 1)] == straight
