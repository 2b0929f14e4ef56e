import random
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import Connection, Cursor

from ledger.domain.event import FACTS
from ledger.store.log import Logged, head_of, read_log
from projections import queries
from projections.catalogue import MODELS
from projections.model import ReadModel, Table
from projections.project import Overtaken, move, project_next, tracked
from projections.relay import RELAY_FACTS
from projections.runner import sized
from tests.projections.builders import (
    START,
    Story,
    a_busy_month,
    episode_of,
    reading_held,
    tariff_published,
    topped_up,
    usage_debited,
)
from tests.projections.conftest import Project

BALANCES = next(model for model in MODELS if model.name == "balances")


def _digests(connection: Connection[Any]) -> dict[str, str]:
    return {model.name: model.digest(connection) for model in MODELS}


def _forget(connection: Connection[Any]) -> None:
    """Begin again: every row of every read model, and where it stood."""
    for model in MODELS:
        for table in model.tables:
            connection.execute(f"DELETE FROM projections.{table.name}".encode())
    connection.execute("UPDATE projections.tracking SET position = 0")


def test_batches_of_any_size_leave_the_same_content(
    story: Story, projector: Connection[Any], project: Project
) -> None:
    facts = a_busy_month()
    story.tell_each(facts)
    project(limit=1_000)
    whole = _digests(projector)
    sizes = random.Random(20260701)
    for limit in (1, 2, 7, 50, *(sizes.randint(3, 40) for _ in range(3))):
        _forget(projector)
        batches = project(limit=limit)
        assert batches == -(-len(facts) // limit)
        assert _digests(projector) == whole, f"with batches of {limit}"


def test_a_digest_tells_one_micro_unit_of_difference(
    story: Story, projector: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project()
    before = BALANCES.digest(projector)
    projector.execute("UPDATE projections.balances SET debited = debited + 0.000001 WHERE account = 'household-3'")
    assert BALANCES.digest(projector) != before


def test_a_digest_is_the_same_from_a_session_with_other_habits(
    story: Story, projector: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project()
    before = _digests(projector)
    projector.execute("SET timezone = 'Asia/Shanghai'")
    projector.execute("SET datestyle = 'German'")
    assert _digests(projector) == before


def test_a_balance_is_what_was_paid_less_what_was_used(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.move_in("flat-1", "anna", credit_micros=20_000_000)
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1_234_567, usage_milliwh=2_500_001))
    story.tell(topped_up(account="anna", amount_micros=1))
    project()
    (balance,) = queries.balances(finance)
    assert (balance.account, balance.site) == ("anna", "riverside")
    assert balance.balance == Decimal("18.765434")
    assert (balance.debited, balance.credited) == (Decimal("1.234567"), Decimal("20.000001"))
    assert balance.usage_milliwh == 2_500_001
    assert (balance.debits, balance.top_ups) == (1, 2)


def test_money_beyond_sixteen_digits_is_exact(story: Story, finance: Connection[Any], project: Project) -> None:
    micros = 8_123_456_789_012_345_678
    story.move_in("flat-1", "anna", credit_micros=micros)
    project()
    (balance,) = queries.balances(finance)
    assert balance.balance == Decimal("8123456789012.345678")
    assert balance.credited == balance.balance
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=micros))
    project()
    (balance,) = queries.balances(finance)
    assert (balance.balance, balance.debited) == (Decimal(0), balance.credited)
    rows = {row.code: row.amount for row in queries.trial_balance_at(finance, position=5).rows}
    assert rows["liabilities:prepayment"] == Decimal("-8123456789012.345678")


def test_ignored_events_move_the_position_too(story: Story, projector: Connection[Any], project: Project) -> None:
    story.tell(tariff_published(version=1))
    head = story.tell(tariff_published(version=2))
    project()
    assert set(tracked(projector).values()) == {head} == {head_of(projector)[0]}


def test_a_batch_that_fails_leaves_rows_and_positions_as_they_were(
    story: Story, projector: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project_next(projector, models=MODELS, limit=40)
    before, positions = _digests(projector), tracked(projector)

    def dies(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
        raise psycopg.OperationalError("killed after the other read models were written")

    last = ReadModel("supplies", (Table("supplies", ("supply",)),), dies)
    models = [*(model for model in MODELS if model.name != "supplies"), last]
    with pytest.raises(psycopg.OperationalError):
        project_next(projector, models=models, limit=40)
    assert (tracked(projector), _digests(projector)) == (positions, before)


def test_a_batch_prepared_on_an_old_position_is_refused(
    story: Story, projector: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    story.tell_each(a_busy_month())

    def read_while_another_moves(connection: Connection[Any], **arguments: Any) -> list[Logged]:
        with projector.cursor() as cursor:
            move(cursor, names=["balances"], position=5)
        return read_log(connection, **arguments)

    monkeypatch.setattr("projections.ahead.read_log", read_while_another_moves)
    with pytest.raises(Overtaken, match="balances"):
        project_next(projector, models=[BALANCES], limit=10)
    assert queries.balances(projector) == []


def test_a_read_model_that_joined_late_catches_up_alone_and_ends_beside_the_others(
    story: Story, projector: Connection[Any], project: Project
) -> None:
    story.tell_each(a_busy_month())
    project()
    before, head = _digests(projector), head_of(projector)[0]
    projector.execute("DELETE FROM projections.balances")
    projector.execute("UPDATE projections.tracking SET position = 0 WHERE name = 'balances'")
    story.tell(topped_up(account="household-0", amount_micros=7))
    batch = project_next(projector, models=MODELS, limit=1_000)
    assert batch is not None
    assert (batch.models, batch.events[-1].position) == (("balances",), head)
    assert _digests(projector) == before
    batch = project_next(projector, models=MODELS, limit=1_000)
    assert batch is not None
    assert set(batch.models) == {model.name for model in MODELS}


def test_every_relay_and_supply_fact_is_known_to_what_folds_it() -> None:
    by_topic = {prefix: {cls for topic, cls in FACTS.items() if topic.startswith(prefix)} for prefix in ("relay.",)}
    assert set(RELAY_FACTS) == by_topic["relay."]


@pytest.mark.parametrize(
    ("limit", "taken", "elapsed_s", "next_limit"),
    [
        (1_000, 1_000, 0.05, 2_000),
        (1_000, 20, 0.01, 1_000),
        (8_000, 8_000, 0.05, 10_000),
        (5_000, 5_000, 1.1, 2_500),
        (1_500, 1_500, 1.1, 1_000),
    ],
)
def test_batches_grow_while_they_are_quick_and_shrink_when_they_hold_rows_long(
    limit: int, taken: int, elapsed_s: float, next_limit: int
) -> None:
    assert sized(limit, taken=taken, elapsed_s=elapsed_s) == next_limit


def test_latest_debits_are_named_with_account_and_amount(story: Story, finance: Connection[Any]) -> None:
    story.move_in("flat-1", "anna")
    for amount_micros in (1_000_000, 2_500_000):
        story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=amount_micros))
    debits = queries.latest_debits(finance, limit=1)
    assert [(row.supply, row.account, row.amount, row.recorded_at) for row in debits] == [
        ("flat-1", "anna", Decimal("2.5"), START)
    ]


def test_an_episode_claims_its_energy_until_it_is_over_and_only_once(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    def held_milliwh() -> Decimal:
        project()
        return queries.figures(finance).held_milliwh

    later, latest = START + timedelta(hours=1), START + timedelta(hours=2)
    story.tell(reading_held(supply="flat-1", claimed_milliwh=100, at=START))
    assert held_milliwh() == 100
    # Readings consistent with the last good one go on billing while it is open.
    story.tell(
        usage_debited(supply="flat-1", account="anna", amount_micros=1, episode=episode_of("flat-1", START), at=later)
    )
    assert held_milliwh() == 100
    story.tell(reading_held(supply="flat-1", claimed_milliwh=130, at=later))
    assert held_milliwh() == 130
    story.tell(reading_held(supply="flat-2", claimed_milliwh=5, opens_episode=False, at=later))
    assert held_milliwh() == 135
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1, at=latest))
    story.tell(usage_debited(supply="flat-2", account="ben", amount_micros=1, at=latest))
    assert held_milliwh() == 5
    assert queries.figures(finance).held_readings == 3


def test_an_episode_that_ends_and_begins_again_with_the_same_reading_is_two_holds(
    story: Story, finance: Connection[Any], projector: Connection[Any], project: Project
) -> None:
    story.tell(reading_held(supply="flat-1", claimed_milliwh=100))
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1))
    story.tell(reading_held(supply="flat-1", claimed_milliwh=100))
    project(limit=1)
    one_by_one = _digests(projector)
    assert queries.figures(finance).held_milliwh == 100
    _forget(projector)
    project()
    assert _digests(projector) == one_by_one


def test_the_lag_is_that_of_the_read_model_furthest_behind(
    story: Story, finance: Connection[Any], project: Project
) -> None:
    story.move_in("flat-1", "anna")
    assert queries.lag_events(finance) == 4
    project()
    assert queries.lag_events(finance) == 0
