"""What the processes watch beside their work: supplies nobody decides on, open holds, clocks."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection

from ledger.domain.account import AccountOpened
from ledger.domain.relay import OrderIssued
from ledger.domain.supply import SupplyRegistered
from ledger.values.signing import OrderSigner
from projections.control import Control
from projections.holds import open_holds
from projections.order import OrderBook
from projections.pace import Pace
from projections.process import database_now
from projections.runner import Runner
from tests.projections.builders import (
    SITE,
    START,
    Story,
    meter_installed,
    occupied,
    reading_held,
    settings_changed,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import LIFETIME, SIGNING_KEY, Estate

UNDECIDED = "wattledger_supplies_undecided"


def test_supplies_left_undecided_are_counted_by_what_they_lack(
    story: Story, estate: Estate, project: Project
) -> None:
    estate.control.undecided = Pace(0)
    story.move_in("flat-1", "anna")
    for supply in ("flat-2", "flat-3"):
        story.tell(SupplyRegistered(supply=supply, site=SITE, concentrator="conc-1", recorded_at=START))
    story.tell(
        meter_installed("flat-3"),
        AccountOpened(account="ben", site=SITE, currency="EUR", recorded_at=START),
        settings_changed(effective_from=estate.now + timedelta(hours=1)),
    )

    def counted() -> list[float | None]:
        project()
        estate.decide()
        return [
            estate.sample(UNDECIDED, reason="no-settings"),
            estate.sample(UNDECIDED, reason="no-meter"),
            estate.sample(UNDECIDED, reason="no-occupant"),
        ]

    assert counted() == [1, 1, 1]
    story.tell(meter_installed("flat-2"), occupied("flat-3", "ben"))
    assert counted() == [2, 0, 1]
    estate.later(timedelta(hours=1))
    assert counted() == [0, 0, 1]
    # Who decides no longer does not go on telling what was so.
    estate.control.elected(False)
    assert estate.sample(UNDECIDED, reason="no-occupant") is None


def test_orders_are_dated_by_the_databases_clock_however_far_ahead_the_hosts_is(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    ahead = timedelta(hours=1)
    control = Control(OrderBook(OrderSigner(SIGNING_KEY), LIFETIME), host_now=lambda: datetime.now(UTC) + ahead)
    control.turn(estate.connection)
    order = estate.history("flat-1")[-1]
    assert isinstance(order, OrderIssued)
    assert abs((order.issued_at - database_now(estate.connection)).total_seconds()) < 60
    assert order.issued_at.tzinfo is UTC
    skew = control.metrics.registry.get_sample_value("wattledger_clock_skew_seconds")
    assert skew is not None
    assert abs(skew - ahead.total_seconds()) < 5


def test_open_holds_are_listed_and_counted_until_their_episode_is_over(
    story: Story, projector: Connection[Any], finance: Connection[Any]
) -> None:
    runner = Runner(holds=Pace(0))

    def counted() -> float | None:
        while runner.turn(projector):
            pass
        return runner.metrics.registry.get_sample_value("wattledger_open_holds")

    assert counted() == 0
    story.tell(reading_held(supply="flat-1"), reading_held(supply="flat-2", opens_episode=False))
    assert counted() == 2
    assert [(row.supply, row.meter, row.reason, row.read_at, row.claimed_milliwh) for row in open_holds(finance)] == [
        ("flat-1", "meter-of-flat-1", "backwards", START, Decimal(7_000)),
        ("flat-2", "meter-of-flat-2", "backwards", START, Decimal(7_000)),
    ]
    story.tell(usage_debited(supply="flat-1", account="anna", amount_micros=1, at=START + timedelta(hours=1)))
    assert counted() == 1
    assert [row.supply for row in open_holds(finance)] == ["flat-2"]


def test_a_pace_lets_the_first_through_and_then_one_in_each_interval() -> None:
    clock = iter([0.0, 4.0, 5.0, 9.9, 10.0])
    pace = Pace(5.0, clock=lambda: next(clock))
    assert [pace.is_due() for _ in range(5)] == [True, False, True, False, True]
