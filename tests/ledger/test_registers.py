"""Registers by time-of-use period beside a meter's total: they bill, and must agree with it (I4, I6, I8)."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.billed import folded_counters
from ledger.domain.supply import Registers
from ledger.store.mapper import fact_of, stored
from tests.ledger.builders import MOVED_IN, milliwh, published
from tests.ledger.registered_room import AT_ZERO, BLOCKS_BY_PERIOD, STEP, TIME_OF_USE, room, totals
from tests.ledger.tariff_files import ENERGY, HOURS, block_charge, tariff_file


def test_registers_by_period_bill_what_they_counted_whatever_the_hours_say() -> None:
    it = room(opening=AT_ZERO)
    it.reads(12 * 60, "12", peak=11, night=1)
    assert it.lines == [("峰", "11.000000", 11_000_000), ("谷", "1.000000", 500_000)]
    (debit,) = it.home.debits
    assert debit.opening_registers == AT_ZERO
    assert debit.closing_registers == debit.state.registers == Registers(periods={"峰": 11_000_000, "谷": 1_000_000})
    assert debit.quantities is not None
    assert debit.quantities.periods == {"峰": 11_000_000, "谷": 1_000_000}
    assert not any("apportioned" in line.rule for line in debit.lines)


def test_until_the_registers_are_known_the_total_bills_and_the_lines_say_that_it_is_apportioned() -> None:
    it = room()
    it.reads(12 * 60, "12", peak=500, night=300)
    assert it.lines == [("峰", "6.000000", 6_000_000), ("谷", "6.000000", 3_000_000)]
    assert [line.rule for line in it.home.debits[0].lines] == [
        "energy used in 峰, apportioned by time",
        "energy used in 谷, apportioned by time",
    ]
    it.reads(13 * 60, "13", peak=500, night=301)
    assert it.lines == [("谷", "1.000000", 500_000)]


def test_a_meter_that_ceases_to_give_them_is_billed_by_its_total_and_begins_anew_later() -> None:
    it = room(opening=AT_ZERO)
    it.reads(60, "1", peak=1, night=0)
    it.reads(120, "3")
    assert it.lines == [("峰", "2.000000", 2_000_000)]
    assert it.home.debits[-1].state.registers is None
    it.reads(180, "4", peak=700, night=0)
    it.reads(240, "5", peak=701, night=0)
    assert sum(debit.usage_milliwh for debit in it.home.debits) == milliwh(5)
    assert it.home.held_for == []


def test_an_unsplit_span_is_not_said_to_be_apportioned() -> None:
    it = room()
    it.reads(60, "1")
    assert it.home.debits[0].lines[0].rule == "energy used in 峰"


def test_a_span_over_two_months_says_that_it_is_apportioned_even_at_one_price() -> None:
    it = room(tariff_file(ENERGY))
    it.reads(40 * 24 * 60, "40")
    assert {line.rule for line in it.home.debits[0].lines} == {"energy used, apportioned by time"}


def test_a_span_over_midnight_at_one_price_is_not_apportioned() -> None:
    it = room(tariff_file(ENERGY))
    it.reads(24 * 60, "40")
    assert [line.rule for line in it.home.debits[0].lines] == ["energy used"]


def test_a_tariff_without_periods_prices_the_sum_of_the_registers_and_says_so() -> None:
    it = room(tariff_file(ENERGY), opening=AT_ZERO)
    it.reads(12 * 60, "12", peak=11, night=1)
    (line,) = it.home.debits[0].lines
    assert (line.quantity, line.rule) == ("12.000000", "energy used, sum of the time-of-use registers")


def test_registers_that_the_tariff_does_not_know_wait_for_one_that_does() -> None:
    it = room(TIME_OF_USE.replace("谷", "夜"), opening=AT_ZERO)
    it.reads(60, "1", peak=1, night=0)
    it.reads(120, "2", peak=2, night=0)
    assert it.home.held_for == ["unknown-period"]
    assert "does not know the registers' periods '谷'" in it.home.holds[0].detail
    it.home.snapshot.apply(published(text=TIME_OF_USE, at=MOVED_IN - timedelta(days=1), version=2))
    it.reads(180, "3", peak=3, night=0)
    assert it.home.billed_kwh == 3
    assert it.home.metering.state.episode is None


@pytest.mark.parametrize(
    ("total", "peak", "night", "reason"),
    [
        ("5", "2", "2", "registers-disagree"),
        ("5", "3", "2.04", "registers-disagree"),
        ("5", "6", "-1", "out-of-range"),
        ("5", "5", "1000000", "out-of-range"),
        ("5", "0.5", "4.5", "backwards"),
        ("5", "40", "1", "leap"),
    ],
)
def test_a_bad_register_holds_the_reading(total: str, peak: str, night: str, reason: str) -> None:
    it = room(opening=AT_ZERO)
    it.reads(15, "1", peak=1, night=0)
    it.reads(75, total, peak=peak, night=night)
    assert it.home.held_for == [reason]
    assert it.home.billed_kwh == 1
    it.reads(135, "2", peak="1.5", night="0.5")
    assert it.home.billed_kwh == 2, "readings consistent with the last good one go on billing"


def test_each_register_may_roll_over_by_itself() -> None:
    it = room(opening=Registers(periods={"峰": milliwh("999999.5"), "谷": 0}))
    it.reads(60, "1", peak="0.5", night=0)
    assert it.lines == [("峰", "1.000000", 1_000_000)]


def test_other_registers_at_the_very_time_of_a_good_reading_are_held() -> None:
    it = room(opening=AT_ZERO)
    it.reads(60, "1", peak=1, night=0)
    it.reads(60, "1", peak=1, night=0)
    assert it.home.metering.superseded == 1
    it.reads(60, "1", peak="0.5", night="0.5")
    assert it.home.held_for == ["conflicting"]


def test_registers_that_drift_apart_a_step_at_a_time_are_held_in_the_end() -> None:
    """However often they are read: a step a reading would let half of the energy go unbilled."""
    it = room(opening=AT_ZERO)
    for number in range(1, 50):
        it.reads(number * 15, str(Decimal(number) * 2 / 100), peak=str(Decimal(number) / 100), night=0)
    assert it.home.held_for[:1] == ["registers-disagree"]
    assert it.home.billed_kwh <= Decimal("0.04")


@given(st.lists(st.tuples(st.integers(0, 2_000_000), st.integers(0, 2_000_000)), min_size=1, max_size=12))
def test_registers_that_cut_off_what_they_do_not_show_never_disagree(used: list[tuple[int, int]]) -> None:
    it, peak, night = room(opening=AT_ZERO), 0, 0
    for number, (more_peak, more_night) in enumerate(used, 1):
        peak, night = peak + more_peak, night + more_night
        total = (peak + night) // STEP * STEP
        it.reads(
            number * 60,
            str(Decimal(total).scaleb(-6)),
            peak=Decimal(peak // STEP * STEP).scaleb(-6),
            night=Decimal(night // STEP * STEP).scaleb(-6),
        )
    assert it.home.held_for == []
    billed = it.home.debits[-1].state.registers.periods if it.home.debits else {"峰": 0, "谷": 0}  # type: ignore[union-attr]
    assert it.home.billed_kwh == Decimal(sum(billed.values())).scaleb(-6)
    assert peak + night - 2 * STEP <= sum(billed.values()) <= peak + night


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=30),
    st.data(),
    st.sampled_from([TIME_OF_USE, tariff_file(ENERGY), tariff_file(HOURS, block_charge(("5", "1"), ("", "3", "2")))]),
)
def test_grouping_of_readings_never_changes_what_registers_come_to(
    used: list[tuple[int, int]], data: st.DataObject, text: str
) -> None:
    """Each of a few hours may be read or passed over; the last one is read (I4)."""
    every, some = room(text, opening=AT_ZERO), room(text, opening=AT_ZERO)
    peak = night = 0
    for number, (more_peak, more_night) in enumerate(used, 1):
        peak, night = peak + more_peak * STEP, night + more_night * STEP
        told = {
            "kwh": str(Decimal(peak + night).scaleb(-6)),
            "peak": Decimal(peak).scaleb(-6),
            "night": Decimal(night).scaleb(-6),
        }
        every.reads(number * 60, **told)  # type: ignore[arg-type]
        if number == len(used) or data.draw(st.booleans()):
            some.reads(number * 60, **told)  # type: ignore[arg-type]
    assert totals(every.home.facts) == totals(some.home.facts)
    assert every.home.billed_kwh == some.home.billed_kwh == Decimal(peak + night).scaleb(-6)


@given(
    st.lists(
        st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 300), st.integers(0, 9_000)),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(
        [
            BLOCKS_BY_PERIOD,
            BLOCKS_BY_PERIOD + '[[charges]]\ncomponent = "reactive"\nkind = "time-of-use"\nunit = "kvarh"\n'
            'prices = { "峰" = "0.3", "谷" = "0.07" }\n'
            '[[charges]]\ncomponent = "apparent"\nkind = "flat"\nprice_per_kvah = "0.013"\n'
            '[[charges]]\ncomponent = "peak"\nkind = "demand"\nprice_per_kw = "30.33"\n',
        ]
    ),
    st.booleans(),
)
def test_counters_folded_from_the_evidence_are_those_kept(
    used: list[tuple[int, int, int, int]], text: str, has_periods: bool
) -> None:
    """Time of use by registers or not, reactive and apparent energy, demand; spans of nine hours (I6)."""
    start = Registers(periods={"峰": 0, "谷": 0} if has_periods else {}, reactive_millivarh=0, apparent_millivah=0)
    it = room(text, opening=start)
    peak = night = reactive = 0
    for number, (more_peak, more_night, more_reactive, demand_w) in enumerate(used, 1):
        peak, night = peak + more_peak * STEP, night + more_night * STEP
        reactive += more_reactive * STEP
        periods: dict[str, Any] = {"peak": Decimal(peak).scaleb(-6), "night": Decimal(night).scaleb(-6)}
        it.reads(
            number * 9 * 60,
            str(Decimal(peak + night).scaleb(-6)),
            reactive_millivarh=reactive,
            apparent_millivah=peak + night,
            demand_w=demand_w,
            **(periods if has_periods else {}),
        )
    home = it.home
    assert home.held_for == []
    events = [
        (event.originator_version, fact_of(event.fact.topic, stored(event).state)) for event in home.draft.events
    ]
    assert folded_counters(events, home.snapshot.prices_of(home.supply)) == home.metering.state.counters
    again = home.billed_intervals
    again.counters(home.snapshot.prices_of(home.supply))
    derived: dict[str, int] = {}
    for span in again.spans:
        for item, amount in span.amounts.items():
            derived[item.component] = derived.get(item.component, 0) + amount
    assert derived == totals(home.facts)
