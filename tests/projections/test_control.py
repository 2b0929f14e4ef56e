from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from psycopg import Connection

from ledger.domain.account import AccountOpened
from ledger.domain.event import Fact
from ledger.domain.relay import LockSet, LowBalanceWarned, OrderIssued
from ledger.domain.supply import SupplyRegistered
from ledger.domain.token_billing import BilledByToken
from projections import queries
from projections.latencies import top_up_to_relay_s
from projections.order import OrderBook
from streams.outbox import command_of
from tests.projections.builders import (
    SITE,
    START,
    Story,
    concluded,
    meter_installed,
    occupied,
    rules_set,
    settings_changed,
    topped_up,
    usage_debited,
)
from tests.projections.conftest import Project
from tests.projections.estate import LIFETIME, Estate

HOUR = timedelta(hours=1)


def test_a_low_balance_is_warned_of_once(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna", left_micros=4_000_000)
    for _ in range(3):
        project()
        estate.decide()
    (warning,) = estate.history("flat-1")
    assert isinstance(warning, LowBalanceWarned)
    assert (warning.balance_micros, warning.threshold_micros, warning.account) == (4_000_000, 5_000_000, "anna")


def test_after_a_top_up_the_next_fall_warns_anew(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna", left_micros=4_000_000)
    for fact in (
        topped_up(account="anna", amount_micros=50_000_000),
        usage_debited(supply="flat-1", account="anna", amount_micros=50_000_000),
    ):
        project()
        estate.decide()
        story.tell(fact)
    project()
    estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned", "warning-cleared", "low-balance-warned"]


def test_an_empty_account_is_cut_off_once(story: Story, estate: Estate, project: Project) -> None:
    head = story.used_up("flat-1", "anna")
    for _ in range(3):
        project()
        estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned", "lock-set credit", "order-issued open"]
    _, lock, order = estate.history("flat-1")
    assert isinstance(lock, LockSet)
    assert isinstance(order, OrderIssued)
    assert (lock.balance_micros, lock.ledger_position) == (0, head)
    assert (order.sequence, order.account, order.balance_micros, order.ledger_position) == (3, "anna", 0, head)
    assert (order.issued_at, order.expires_at) == (estate.now, estate.now + LIFETIME)


@pytest.mark.parametrize(
    ("reconnection", "end"),
    [
        ("automatic", ["warning-cleared", "lock-cleared credit", "order-issued close"]),
        ("confirm", ["warning-cleared", "lock-cleared credit"]),
        ("arm", ["warning-cleared", "lock-cleared credit"]),
    ],
)
def test_a_top_up_reconnects_only_where_the_site_does_so_by_itself(
    story: Story, estate: Estate, project: Project, reconnection: Any, end: list[str]
) -> None:
    story.used_up("flat-1", "anna")
    story.tell(settings_changed(reconnection=reconnection))
    project()
    estate.decide()
    story.tell(topped_up(account="anna", amount_micros=30_000_000, at=estate.now))
    estate.later(timedelta(seconds=2))
    for _ in range(3):
        project()
        estate.decide()
    assert estate.kinds("flat-1")[3:] == end
    is_automatic = reconnection == "automatic"
    assert (estate.sample("wattledger_top_up_to_order_seconds_sum") == 2) is is_automatic
    assert estate.sample("wattledger_relay_orders_issued_total", action="close") == (1 if is_automatic else None)


def test_settings_hold_from_their_time_on(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna")
    story.tell(settings_changed(reconnection="confirm", effective_from=START + 2 * HOUR))
    project()
    estate.decide()
    story.tell(topped_up(account="anna", amount_micros=30_000_000))
    project()
    estate.later(HOUR)
    estate.decide()
    assert estate.kinds("flat-1")[3:] == ["warning-cleared", "lock-cleared credit"]


@pytest.mark.parametrize(("now_micros", "later_micros"), [(5_000_000, 0), (0, 5_000_000)])
def test_a_warning_threshold_holds_from_its_time_on(
    story: Story, estate: Estate, project: Project, now_micros: int, later_micros: int
) -> None:
    story.used_up("flat-1", "anna", left_micros=3_000_000)
    story.tell(
        settings_changed(warning_balance_micros=now_micros),
        settings_changed(warning_balance_micros=later_micros, effective_from=estate.now + HOUR),
    )
    project()
    estate.decide()
    assert estate.relay("flat-1").warned is (now_micros > 0)
    estate.later(HOUR)
    project()
    estate.decide()
    assert estate.relay("flat-1").warned is (later_micros > 0)


def test_settings_from_the_same_instant_replace_those_recorded_before(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna", left_micros=3_000_000)
    story.tell(settings_changed(warning_balance_micros=0))
    project()
    estate.decide()
    assert not estate.relay("flat-1").warned
    story.tell(settings_changed(warning_balance_micros=3_000_001))
    project()
    estate.decide()
    assert estate.relay("flat-1").warned


def test_the_occupant_at_the_time_of_the_decision_counts(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna")
    story.tell(
        AccountOpened(account="ben", site=SITE, currency="EUR", recorded_at=START),
        topped_up(account="ben", amount_micros=50_000_000),
        occupied("flat-1", "ben", occupied_from=estate.now + HOUR),
    )
    project()
    estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned", "lock-set credit", "order-issued open"]
    estate.later(HOUR)
    project()
    estate.decide()
    assert estate.kinds("flat-1")[3:] == ["warning-cleared", "lock-cleared credit", "order-issued close"]
    assert estate.order("flat-1").account == "ben"


def test_every_supply_of_an_account_gets_its_own_order(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna")
    story.tell(
        SupplyRegistered(supply="garage", site=SITE, concentrator="conc-2", recorded_at=START),
        meter_installed("garage"),
        occupied("garage", "anna"),
    )
    project()
    estate.control.page = 1
    estate.decide()
    orders = [estate.order(supply) for supply in ("flat-1", "garage")]
    assert [(row.supply, row.concentrator, row.meter) for row in orders] == [
        ("flat-1", "conc-1", "meter-of-flat-1"),
        ("garage", "conc-2", "meter-of-garage"),
    ]
    assert orders[0].order != orders[1].order
    # The first page's own events moved the head on; each order names the head that it was decided at.
    assert orders[0].ledger_position < orders[1].ledger_position


@pytest.mark.parametrize("missing", ["meter", "account", "settings"])
def test_a_supply_that_lacks_something_is_never_switched(
    story: Story, estate: Estate, project: Project, missing: str
) -> None:
    there: dict[str, Fact] = {
        "rules": rules_set(),
        "supply": SupplyRegistered(supply="flat-1", site=SITE, concentrator="conc-1", recorded_at=START),
        "opened": AccountOpened(account="anna", site=SITE, currency="EUR", recorded_at=START),
        "meter": meter_installed("flat-1"),
        "account": occupied("flat-1", "anna"),
        "settings": settings_changed(),
    }
    story.tell(*(fact for name, fact in there.items() if name != missing))
    project()
    estate.decide()
    assert estate.history("flat-1") == []
    story.tell(there[missing])
    project()
    estate.decide()
    assert estate.relay("flat-1").desired == "open"


def test_a_meter_read_from_files_is_warned_but_never_switched(story: Story, estate: Estate, project: Project) -> None:
    story.tell(settings_changed())
    story.move_in("flat-1", "anna", measures="interval")
    project()
    estate.decide()
    assert estate.kinds("flat-1") == ["low-balance-warned"]


def test_a_supply_that_is_billed_by_token_is_left_alone(story: Story, estate: Estate, project: Project) -> None:
    story.tell(settings_changed(), rules_set())
    story.move_in("flat-1", "anna")
    story.move_in("flat-2", "ben")
    story.tell(
        BilledByToken(supply="flat-1", unit_milliwh=100_000, size="standard", operator="ana", recorded_at=START)
    )
    project()
    estate.decide()
    assert estate.kinds("flat-1") == []
    assert "order-issued open" in estate.kinds("flat-2")


def test_the_signature_holds_for_the_command_that_the_publisher_rebuilds(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    order = estate.order("flat-1")
    command = command_of(order)
    assert (command.order, command.sequence, command.action) == (order.order, 3, "open")
    assert estate.verifier.is_authentic(command)
    assert not estate.verifier.is_authentic(msgspec.structs.replace(command, action="close"))


def test_an_order_that_failed_is_issued_again_with_growing_pauses_until_it_is_confirmed(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    issued_at = [estate.now]
    for _ in range(90):
        order = estate.order("flat-1")
        if order.issued_at != issued_at[-1]:
            issued_at.append(order.issued_at)
        if estate.relay("flat-1").order_outcome is None:
            story.tell(concluded(order, "failed", at=estate.now))
        estate.later(timedelta(seconds=1))
        project()
        estate.decide()
    assert [(at - issued_at[0]).total_seconds() for at in issued_at] == [0, 10, 30, 70]
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    estate.later(timedelta(days=1))
    project()
    estate.decide()
    orders = [fact for fact in estate.history("flat-1") if isinstance(fact, OrderIssued)]
    assert len(orders) == 4
    assert len({order.sequence for order in orders}) == 4
    assert all(estate.verifier.is_authentic(command_of(order)) for order in orders)


def test_an_order_without_an_answer_is_issued_again_when_it_has_expired(
    story: Story, estate: Estate, project: Project
) -> None:
    story.used_up("flat-1", "anna")
    for pause in (timedelta(0), timedelta(seconds=119), timedelta(seconds=1), timedelta(seconds=1)):
        estate.later(pause)
        project()
        estate.decide()
    issued = [fact.issued_at for fact in estate.history("flat-1") if isinstance(fact, OrderIssued)]
    assert [at - issued[0] for at in issued] == [timedelta(0), LIFETIME]


def test_confirmed_switchings_are_counted_and_shown(
    story: Story, estate: Estate, project: Project, finance: Connection[Any]
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    project()
    (state,) = queries.relay_states(finance, now=estate.now)
    assert (state.account, state.desired, state.actual, state.locks) == ("anna", "open", "open", ["credit"])
    assert (state.warned, state.order_sequence, state.order_outcome) == (True, 3, "confirmed")
    story.tell(topped_up(account="anna", amount_micros=30_000_000))
    project()
    estate.decide()
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    project()
    (state,) = queries.relay_states(finance, now=estate.now)
    assert (state.desired, state.actual, state.locks, state.warned) == ("closed", "closed", [], False)
    figures = queries.figures(finance)
    assert (figures.disconnections_confirmed, figures.reconnections_confirmed) == (1, 1)
    assert (figures.debits, figures.top_ups, figures.usage_milliwh) == (1, 2, Decimal(1_000_000))


def test_the_wait_from_a_top_up_to_the_relay_is_told_in_seconds(
    story: Story, estate: Estate, project: Project, finance: Connection[Any]
) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    story.tell(topped_up(account="anna", amount_micros=30_000_000, at=estate.now))
    project()
    estate.decide()
    estate.later(timedelta(seconds=1.5))
    assert top_up_to_relay_s(finance) == []
    closing = estate.order("flat-1")
    story.tell(concluded(closing, "confirmed", at=estate.now))
    # Told again, and topped up again without need: neither is another reconnection.
    story.tell(topped_up(account="anna", amount_micros=1), concluded(closing, "confirmed", at=estate.now + HOUR))
    assert top_up_to_relay_s(finance) == [1.5]


def test_warnings_and_orders_are_counted(story: Story, estate: Estate, project: Project) -> None:
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    assert estate.sample("wattledger_relay_orders_issued_total", action="open") == 1
    assert estate.sample("wattledger_low_balance_warnings_total") == 1


def test_an_order_is_good_for_as_long_as_the_settings_say(story: Story, estate: Estate, project: Project) -> None:
    estate.control.orders = OrderBook(estate.control.orders.signer, timedelta(seconds=7))
    story.used_up("flat-1", "anna")
    project()
    estate.decide()
    order = estate.order("flat-1")
    assert order.expires_at - order.issued_at == timedelta(seconds=7)
