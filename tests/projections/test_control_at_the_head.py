"""Decisions are taken on the ledger's head, whatever the projections have seen (design I7)."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account import AccountOpened
from ledger.domain.relay import LowBalanceWarned
from ledger.store import gate
from ledger.store.log import Logged, head_of, read_log
from projections import control, picture, queries
from projections.catalogue import named
from projections.project import project_next
from tests.projections.builders import (
    SITE,
    START,
    Story,
    concluded,
    occupied,
    topped_up,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import Estate

HOUR = timedelta(hours=1)


def test_it_decides_once_even_before_the_projections_have_seen_the_decision(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    for _ in range(3):
        estate.decide()
    assert len(estate.history("flat-1")) == 3


def test_a_top_up_that_the_projections_have_not_seen_prevents_the_cut(
    story: Story, estate: Estate, project: Project, finance: Connection[Any]
) -> None:
    story.used_up("flat-1", "anna")
    project()
    story.tell(topped_up(account="anna", amount_micros=30_000_000))
    assert queries.balances(finance)[0].balance == 0
    estate.decide()
    assert estate.history("flat-1") == []


def test_a_top_up_committed_while_it_waits_for_the_gate_prevents_the_cut(
    story: Story, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.used_up("flat-1", "anna")
    project()

    def gated_after_a_top_up(connection: Connection[Any]) -> Any:
        story.tell(topped_up(account="anna", amount_micros=30_000_000))
        return gate.gated(connection)

    monkeypatch.setattr(control, "gated", gated_after_a_top_up)
    estate.decide()
    assert estate.history("flat-1") == []


def test_usage_that_the_projections_have_not_seen_prevents_the_reconnection(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    story.tell(topped_up(account="anna", amount_micros=1_000_000))
    project()
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1_000_000))
    estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned", "lock-set credit", "order-issued open"]


def test_a_ledger_that_ran_ahead_is_read_outside_the_gate_first(
    story: Story, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.control.read_in_gate = 3
    entries: list[str] = []

    def gated_in_a_rush(connection: Connection[Any]) -> Any:
        if not entries:
            story.tell(*(topped_up(account="anna", amount_micros=1) for _ in range(8)))
        entries.append("gate")
        return gate.gated(connection)

    def followed(connection: Connection[Any], **arguments: Any) -> list[Logged]:
        events = read_log(connection, **arguments)
        if entries:
            entries.append(f"read {len(events)}")
        return events

    monkeypatch.setattr(control, "gated", gated_in_a_rush)
    monkeypatch.setattr(picture, "read_log", followed)
    estate.decide()
    # Eight were too many for the gate. Read outside, they prevent the cut; what is left to decide is the warning.
    assert entries == ["gate", "read 8", "gate"]
    (warning,) = estate.history("flat-1")
    assert isinstance(warning, LowBalanceWarned)
    assert warning.balance_micros == 8


def test_a_ledger_that_is_never_caught_up_with_puts_the_decision_off(
    story: Story, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.control.read_in_gate = 3

    def gated_in_a_rush(connection: Connection[Any]) -> Any:
        story.tell(*(usage_debited(supply="flat-1", account="anna", amount_micros=1) for _ in range(8)))
        return gate.gated(connection)

    monkeypatch.setattr(control, "gated", gated_in_a_rush)
    estate.decide()
    assert estate.history("flat-1") == []
    assert estate.sample("wattledger_decisions_put_off_total", reason="ledger-busy") == 1


def test_projections_too_far_behind_put_the_decision_off(
    story: Story, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.used_up("flat-1", "anna")
    project()
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1))
    monkeypatch.setattr("projections.picture.FURTHEST_BEHIND", 0)
    estate.decide()
    assert estate.history("flat-1") == []
    assert estate.sample("wattledger_decisions_put_off_total", reason="projections-behind") == 1


def test_someone_who_moved_in_after_the_projections_position_is_not_cut_for_their_predecessor(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    story.tell(
        AccountOpened(account="ben", site=SITE, currency="EUR", recorded_at=START),
        topped_up(account="ben", amount_micros=50_000_000),
        occupied("flat-1", "ben", occupied_from=START),
    )
    estate.decide()
    assert estate.history("flat-1") == []


def _project_only(projector: Connection[Any], name: str) -> None:
    while project_next(projector, models=[named(name)], limit=100):
        pass


def test_a_top_up_that_only_the_balances_have_seen_is_not_counted_twice(
    story: Story, estate: Estate, project: Project, projector: Connection[Any]
) -> None:
    story.used_up("flat-1", "anna", left_micros=-10_000_000)
    project()
    estate.decide()
    story.tell(topped_up(account="anna", amount_micros=6_000_000))
    _project_only(projector, "balances")
    estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned", "lock-set credit", "order-issued open"]


def test_an_order_that_only_the_relays_have_seen_is_not_counted_twice(
    story: Story, estate: Estate, project: Project, projector: Connection[Any]
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    story.tell(concluded(estate.order("flat-1"), "failed", at=estate.now))
    _project_only(projector, "relay")
    estate.later(timedelta(seconds=10))
    estate.decide()
    assert estate.kinds("flat-1")[2:] == ["order-issued open", "order-concluded", "order-issued open"]
    assert estate.order("flat-1").sequence == 5 == estate.relay("flat-1").version


def test_nothing_to_decide_leaves_the_gate_alone(
    story: Story, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.used_up("flat-1", "anna")
    project()
    story.tell(topped_up(account="anna", amount_micros=30_000_000))

    def no_gate(connection: Connection[Any]) -> Any:
        raise AssertionError("the gate was taken for nothing")

    monkeypatch.setattr("projections.control.gated", no_gate)
    estate.decide()
    assert head_of(estate.connection)[0] == 9
