"""A bad reading is never money, and a good one always is (I8)."""

from datetime import timedelta
from decimal import Decimal

import pytest

from ledger.domain.judging import allowance_milliwh
from ledger.domain.spell import begun
from ledger.domain.supply import MeterInstalled
from tests.ledger.builders import (
    MODULUS_KWH,
    MOVED_IN,
    Household,
    assigned,
    household,
    installed,
    minutes,
    occupied,
    published,
    tariff_text,
)


def a_household_that_used(kwh: float, *, by: float) -> Household:
    home = household()
    home.reads(kwh, at=by)
    return home


def test_a_reading_bills_what_was_used_since_the_last_good_one() -> None:
    home = household()
    home.reads(1, at=15)
    home.reads(1.5, at=30)
    assert [debit.usage_milliwh for debit in home.debits] == [1_000_000, 500_000]
    assert [(debit.opening_milliwh, debit.closing_milliwh) for debit in home.debits] == [
        (100_000_000, 101_000_000),
        (101_000_000, 101_500_000),
    ]
    assert [(debit.started_at, debit.ended_at) for debit in home.debits] == [
        (minutes(0), minutes(15)),
        (minutes(15), minutes(30)),
    ]


def test_the_same_reading_again_is_counted_not_billed() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(1, at=15)
    assert (len(home.facts), home.metering.superseded) == (1, 1)


def test_a_reading_older_than_what_is_billed_is_counted_not_billed() -> None:
    home = a_household_that_used(1, by=30)
    home.reads(0.5, at=15)
    home.reads(0.2, at=-60)
    assert (len(home.facts), home.metering.superseded) == (1, 2)


def test_another_register_at_the_same_time_is_held() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(1.2, at=15)
    assert home.held_for == ["conflicting"]
    assert home.holds[0].claimed_milliwh == 200_000
    assert home.billed_kwh == 1


def test_a_register_that_falls_is_held_and_never_money_given_back() -> None:
    home = a_household_that_used(2, by=30)
    home.reads(1, at=45)
    assert home.held_for == ["backwards"]
    assert home.billed_kwh == 2


def test_a_leap_beyond_what_the_supply_can_carry_is_held() -> None:
    home = household()
    home.reads(2.6, at=15)
    assert home.held_for == ["leap"]
    assert home.holds[0].claimed_milliwh == 2_600_000
    assert home.holds[0].detail.startswith("2.6 kWh since 2026-")
    assert ", but 10000 W allow 2.5" in home.holds[0].detail


def test_exactly_what_the_supply_can_carry_is_billed_and_one_milliwatt_hour_more_is_not() -> None:
    most = Decimal(allowance_milliwh(installed(), timedelta(minutes=15))).scaleb(-6)
    home = household()
    home.reads(most, at=15)
    assert home.billed_kwh == most
    other = household()
    other.reads(most + Decimal("0.000001"), at=15)
    assert other.held_for == ["leap"]


def test_the_allowance_is_power_times_time_and_a_register_step() -> None:
    """10 kW for 15 minutes and 2 seconds are 2,505.5555… Wh; a step is 10 Wh."""
    assert allowance_milliwh(installed(), timedelta(minutes=15)) == 2_505_555 + 10_000


def test_a_register_that_rolls_over_at_its_modulus_bills_over_it() -> None:
    home = household(opening_kwh=MODULUS_KWH - 1)
    home.reads_register(Decimal("0.5"), at=15)
    assert home.billed_kwh == Decimal("1.5")


def test_a_fall_that_no_rollover_explains_is_held() -> None:
    home = household(opening_kwh=MODULUS_KWH - 100)
    home.reads_register(Decimal("0.5"), at=15)
    assert home.held_for == ["backwards"]


def test_a_register_without_a_modulus_never_rolls_over() -> None:
    home = household(opening_kwh=MODULUS_KWH - 1, rolls_over=False)
    home.reads_register(Decimal("0.5"), at=15)
    assert home.held_for == ["backwards"]


@pytest.mark.parametrize("register", [MODULUS_KWH, MODULUS_KWH + 1, Decimal(-1)])
def test_a_register_that_its_display_cannot_show_is_held(register: Decimal) -> None:
    home = household()
    home.reads_register(register, at=15)
    assert home.held_for == ["out-of-range"]


def test_a_reading_from_the_future_of_its_message_is_held() -> None:
    home = household()
    home.reads(0.1, at=20, published_at=14.9)
    assert home.held_for == ["in-the-future"]
    home.reads(0.1, at=15, published_at=10)
    assert home.billed_kwh == Decimal("0.1")


def test_the_first_of_a_run_opens_an_episode_and_the_rest_are_counted() -> None:
    home = a_household_that_used(1, by=15)
    for number in range(5):
        home.reads(0.5, at=30 + number)
    assert home.held_for == ["backwards"]
    assert home.metering.held == 4
    assert home.metering.state.episode is not None


def test_readings_consistent_with_the_last_good_one_go_on_billing() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(500, at=30)
    home.reads(1.5, at=45)
    home.reads(2.0, at=60)
    assert home.billed_kwh == 2
    assert home.held_for == ["leap"]
    assert home.metering.state.episode is not None


def test_a_wrong_register_that_stays_does_not_become_believable_by_waiting() -> None:
    home = household()
    for quarter in range(1, 4_000):
        home.reads(500 + quarter / 10, at=15 * quarter)
    assert home.held_for == ["leap"]
    assert home.billed_kwh == 0
    assert home.metering.held == 3_998


def test_nor_does_a_lesser_one_after_a_greater() -> None:
    home = household()
    home.reads(5_000, at=15)
    for day in range(1, 400):
        home.reads(500, at=15 + 1440 * day)
    assert home.billed_kwh == 0
    assert home.held_for == ["leap", "leap"]


def test_nor_does_one_that_came_after_a_hold_of_another_kind() -> None:
    for first in ("fall", "future", "conflict", "display"):
        home = a_household_that_used(1, by=15)
        if first == "fall":
            home.reads(0.5, at=20)
        elif first == "future":
            home.reads(1, at=10**6, published_at=20)
        elif first == "conflict":
            home.reads(1.1, at=15)
        else:
            home.reads_register(Decimal(-1), at=20)
        for day in range(400):
            home.reads(500, at=30 + 1440 * day)
        assert home.billed_kwh == 1, first
        assert home.held_for[1:] == ["leap"], first


def test_nor_does_one_that_came_while_an_occupant_was_awaited() -> None:
    home = household(occupied_at=None)
    home.reads(0, at=-30)
    home.snapshot.apply(occupied())
    for day in range(400):
        home.reads(500, at=15 + 1440 * day)
    assert home.billed_kwh == 0
    assert home.held_for == ["unoccupied", "leap"]


def test_a_fall_does_not_become_a_rollover_by_waiting() -> None:
    """The register may turn within 100 kWh; it fell to 50, which days of full power would explain."""
    home = household(opening_kwh=MODULUS_KWH - 50)
    home.reads_register(Decimal(50), at=15)
    home.reads_register(Decimal(50), at=15 + 1440)
    assert home.held_for == ["backwards"]
    assert home.billed_kwh == 0


def test_a_true_reading_after_a_glitch_and_an_outage_is_billed() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(40_000, at=30)
    home.reads(31, at=15 + 24 * 60)
    assert home.billed_kwh == 31


def test_a_reading_twice_in_a_second_does_not_stop_billing_for_good() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(1.1, at=15)
    home.reads(2, at=30)
    assert home.billed_kwh == 2


def test_what_a_leap_may_be_is_counted_from_the_last_sign_of_life_not_from_the_last_debit() -> None:
    """Idle for ten days, then a leap: the ten days of an empty flat do not make the next one believable."""
    home = a_household_that_used(1, by=15)
    home.reads(1, at=14_400)
    home.reads(4, at=14_415)
    assert home.held_for == ["leap"]
    home.reads(4, at=14_400 + 1440)
    assert home.billed_kwh == 1


def test_no_usage_is_no_event_but_moves_the_time_that_later_usage_counts_from() -> None:
    home = a_household_that_used(1, by=15)
    home.reads(1, at=60)
    assert len(home.facts) == 1
    assert home.metering.seen_at == minutes(60)
    assert home.metering.is_seen_dirty
    home.reads(1.2, at=75)
    assert home.debits[-1].started_at == minutes(60)


def test_a_reading_before_anyone_lives_there_waits_for_an_occupant() -> None:
    home = household(occupied_at=None)
    home.reads(0, at=-30)
    home.reads(0, at=-15)
    assert home.held_for == ["unoccupied"]
    assert home.metering.held == 1
    home.snapshot.apply(occupied())
    home.reads(1, at=15)
    assert home.billed_kwh == 1
    assert home.metering.state.episode is None


def test_usage_without_a_tariff_waits_for_one_and_is_billed_from_the_start() -> None:
    home = household(terms_from=None)
    home.reads(1, at=15)
    home.reads(2, at=30)
    assert home.held_for == ["no-terms"]
    home.snapshot.apply(assigned())
    home.reads(3, at=45)
    assert home.billed_kwh == 3
    assert home.metering.state.episode is None


def test_a_span_that_only_partly_has_a_tariff_is_held_whole() -> None:
    home = household(terms_from=minutes(10))
    home.reads(1, at=15)
    assert home.held_for == ["no-terms"]
    assert home.holds[0].claimed_milliwh == 1_000_000


def test_a_price_change_within_a_span_parts_it_by_time() -> None:
    home = household()
    home.snapshot.apply(published(text=tariff_text(price="1"), at=minutes(5), version=2))
    home.reads(1.5, at=15)
    (debit,) = home.debits
    energy = [(line.version, line.quantity, line.amount_micros) for line in debit.lines if not line.tax]
    assert energy == [(1, "0.500000", 308_500), (2, "1.000000", 1_000_000)]


def test_the_debit_goes_to_the_account_that_lives_there() -> None:
    home = a_household_that_used(1, by=15)
    assert home.debits[0].account == "room-1-a"
    assert home.debits[0].recorded_at == MOVED_IN


@pytest.mark.parametrize(
    ("multiplier", "limit_w", "carries_w"),
    [("1", 0, 20_000), ("1", 15_000, 15_000), ("1", 90_000, 20_000), ("40", 0, 800_000), ("40", 250_000, 250_000)],
)
def test_what_may_pass_is_the_meters_times_its_ratio_and_the_supplys_own_at_most(
    multiplier: str, limit_w: int, carries_w: int
) -> None:
    meter = MeterInstalled(
        supply="s",
        meter="m",
        profile="p",
        installed_at=MOVED_IN,
        opening_milliwh=0,
        max_power_w=20_000,
        multiplier=multiplier,
        limit_w=limit_w,
        recorded_at=MOVED_IN,
    )
    assert begun(meter, starts=MOVED_IN, own_milliwh=0).meter.max_power_w == carries_w
