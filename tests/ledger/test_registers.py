"""Registers beside a meter's total: by time-of-use period they bill, others bill what is priced by them (I4, I6, I8).

The meter `room` of these tests counts 峰 from 08:00 to 22:00 in Shanghai, 谷 at night; it was moved into at 16:00.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.billed import Figure, folded_counters
from ledger.domain.event import Fact
from ledger.domain.meter import UsageDebited
from ledger.domain.metering import take_interval, take_register
from ledger.domain.occupancy import shares
from ledger.domain.supply import Registers, SupplyOccupied
from ledger.rating.quantities import Quantities, more
from ledger.store.mapper import fact_of, stored
from ledger.wire import IntervalReading, RegisterReading
from tests.ledger.builders import MOVED_IN, Household, household, milliwh, minutes, occupied, published
from tests.ledger.tariff_files import ENERGY, HOURS, block_charge, tariff_file

STEP = 10_000  # what the meter's registers count by
TIME_OF_USE = tariff_file(
    HOURS, '[[charges]]\ncomponent = "energy"\nkind = "time-of-use"\nprices = { "峰" = "1", "谷" = "0.5" }\n'
)
BLOCKS_BY_PERIOD = tariff_file(
    HOURS,
    '[[charges]]\ncomponent = "energy"\nkind = "blocks"\n'
    '[[charges.blocks]]\nup_to_kwh = "20"\nprices = { "峰" = "1", "谷" = "0.5" }\n'
    '[[charges.blocks]]\nprices = { "峰" = "2", "谷" = "1.5" }\n',
    '[[taxes]]\ncomponent = "vat"\npercent = "13"\non = ["energy"]\n',
)
REACTIVE = tariff_file(ENERGY, '[[charges]]\ncomponent = "reactive"\nkind = "flat"\nprice_per_kvarh = "0.1"\n')
DEMAND = tariff_file(
    ENERGY, '[[charges]]\ncomponent = "peak"\nkind = "demand"\nprice_per_kw = "30"\ninterval_min = 15\n'
)


@dataclass(slots=True)
class Room:
    """A household whose meter has registers beside the total, all as kWh since it moved in."""

    home: Household
    opening: Mapping[str, int] = field(default_factory=dict)

    def reads(self, at: float, kwh: str, *, published_at: float | None = None, **others: object) -> None:
        """Take in a reading; `peak` and `night` are the registers by period, the rest as on the wire."""
        names = {"peak": "峰", "night": "谷"}
        periods = {names[key]: milliwh(str(others.pop(key))) for key in names if key in others}
        reading = RegisterReading(
            meter="room-1-m",
            read_at=minutes(at),
            import_milliwh=milliwh(self.home.opening_kwh + Decimal(kwh)),
            periods=periods or None,
            **others,  # type: ignore[arg-type]
        )
        source = self.home.source(at if published_at is None else published_at)
        take_register(self.home.draft, self.home.metering, self.home.supply, reading, source)

    @property
    def lines(self) -> list[tuple[str, str, int]]:
        """Period, quantity and amount of the newest debit's lines but taxes."""
        lines = self.home.debits[-1].lines
        return [(line.time_of_use, line.quantity, line.amount_micros) for line in lines if not line.tax]


def room(text: str = TIME_OF_USE, *, opening: Registers | None = None) -> Room:
    home = household(text=text, occupied_at=None)
    home.snapshot.apply(
        SupplyOccupied(
            supply="room-1",
            account="room-1-a",
            occupied_from=MOVED_IN,
            opening_milliwh=milliwh(home.opening_kwh),
            opening_registers=opening,
            recorded_at=MOVED_IN,
        )
    )
    return Room(home)


AT_ZERO = Registers(periods={"峰": 0, "谷": 0})


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


def totals(facts: Sequence[Fact]) -> dict[str, int]:
    found: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, UsageDebited):
            for line in fact.lines:
                found[line.component] = found.get(line.component, 0) + line.amount_micros
    return found


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


def test_reactive_energy_is_billed_from_its_first_known_register_on() -> None:
    it = room(REACTIVE)
    it.reads(60, "1", reactive_millivarh=700_000_000)
    it.reads(120, "2", reactive_millivarh=700_500_000)
    assert totals(it.home.facts) == {"energy": 2_000_000, "reactive": 50_000}
    assert it.home.debits[-1].quantities is not None
    assert it.home.debits[-1].quantities.reactive_millivarh == 500_000


def test_a_priced_register_that_a_reading_lacks_holds_it_and_the_next_one_bills_all() -> None:
    it = room(REACTIVE, opening=Registers(reactive_millivarh=0))
    it.reads(60, "1")
    assert it.home.held_for == ["register-missing"]
    assert "prices reactive energy (kvarh), which the reading does not say" in it.home.holds[0].detail
    it.reads(120, "2", reactive_millivarh=1_000_000)
    assert totals(it.home.facts) == {"energy": 2_000_000, "reactive": 100_000}
    assert it.home.metering.state.episode is None


def test_reactive_energy_alone_is_billed_too() -> None:
    it = room(REACTIVE, opening=Registers(reactive_millivarh=0))
    it.reads(60, "0", reactive_millivarh=1_000_000)
    assert totals(it.home.facts) == {"reactive": 100_000}


@pytest.mark.parametrize(
    ("reactive", "reason"), [(-1, "out-of-range"), (99_000_000, "backwards"), (900_000_000, "leap")]
)
def test_a_bad_reactive_register_holds_the_reading_where_it_is_priced(reactive: int, reason: str) -> None:
    it = room(REACTIVE, opening=Registers(reactive_millivarh=100_000_000))
    it.reads(60, "1", reactive_millivarh=reactive)
    assert it.home.held_for == [reason]


def test_a_register_that_nobody_pays_by_never_holds_up_the_energy() -> None:
    it = room(tariff_file(ENERGY))
    it.reads(60, "1", reactive_millivarh=5, demand_w=3_000)
    it.reads(120, "2", reactive_millivarh=-9, demand_w=10**9)
    assert it.home.billed_kwh == 2
    assert it.home.metering.state.registers is None


def test_a_demand_register_debits_increments_of_the_months_maximum() -> None:
    it = room(DEMAND)
    for number, demand_w in enumerate((2_000, 1_500, 2_500), 1):
        it.reads(number * 60, str(number), demand_w=demand_w)
    assert totals(it.home.facts) == {"energy": 3_000_000, "peak": 75_000_000}
    it.reads(240, "3", demand_w=2_600)
    assert totals(it.home.facts)["peak"] == 78_000_000, "a new maximum while the register stood still"
    it.reads(300, "3", demand_w=2_600)
    assert len(it.home.debits) == 4


def test_a_demand_beyond_what_the_supply_can_carry_is_held() -> None:
    it = room(DEMAND)
    it.reads(60, "1", demand_w=10_001)
    it.reads(120, "2")
    assert it.home.held_for == ["out-of-range"]


def interval(between: tuple[int, int], kwh: str, *, quality: str = "measured", **others: object) -> IntervalReading:
    return msgspec.convert(
        {
            "meter": "room-1-m",
            "start": minutes(between[0]),
            "end": minutes(between[1]),
            "import_milliwh": milliwh(kwh),
            "quality": quality,
            **others,
        },
        IntervalReading,
    )


def intervals_home(text: str) -> Household:
    home = household(measures="interval", text=text, occupied_at=None)
    home.snapshot.apply(occupied())
    return home


def tells(home: Household, reading: IntervalReading) -> None:
    take_interval(home.draft, home.metering, home.supply, reading, home.source(10**6), home.billed_intervals)


def test_an_aligned_interval_shows_its_demand_and_another_is_held() -> None:
    home = intervals_home(DEMAND)
    tells(home, interval((0, 15), "0.5"))
    assert totals(home.facts) == {"energy": 500_000, "peak": 60_000_000}
    tells(home, interval((20, 35), "0.5"))
    assert home.held_for == ["register-missing"]


def test_an_estimate_shows_no_demand_and_its_correction_does() -> None:
    home = intervals_home(DEMAND)
    tells(home, interval((0, 15), "0.5", quality="estimated"))
    assert totals(home.facts) == {"energy": 500_000}
    identity = home.debits[0].reading
    tells(home, interval((0, 15), "0.5", supersedes=identity))
    (correction,) = home.corrections
    assert [(line.component, line.amount_micros) for line in correction.lines] == [("peak", 60_000_000)]


def test_a_correction_carries_reactive_energy_although_the_energy_is_the_same() -> None:
    home = intervals_home(REACTIVE)
    tells(home, interval((0, 60), "1", quality="estimated", reactive_millivarh=400_000))
    tells(home, interval((0, 60), "1", reactive_millivarh=900_000, supersedes=home.debits[0].reading))
    (correction,) = home.corrections
    assert [(line.component, line.amount_micros) for line in correction.lines] == [("reactive", 50_000)]
    assert correction.replaced_quantities is not None
    assert correction.replaced_quantities.reactive_millivarh == 400_000
    events = [(event.originator_version, event.fact) for event in home.draft.events]
    assert folded_counters(events, home.snapshot.prices_of(home.supply)) == home.metering.state.counters


@given(
    st.dictionaries(st.sampled_from(["峰", "谷", "平"]), st.integers(0, 10**7)),
    st.integers(0, 10**7),
    st.integers(0, 10**7),
    st.lists(st.integers(1, 600), max_size=3, unique=True).map(sorted),
)
def test_a_span_cut_between_occupants_loses_nothing_of_what_was_metered(
    periods: dict[str, int], reactive: int, energy: int, moves: list[int]
) -> None:
    whole = Quantities(periods=periods, reactive_millivarh=reactive, demand_w=7)
    used = sum(periods.values()) if periods else energy
    bounds = [(MOVED_IN, 0), *((minutes(at), number) for number, at in enumerate(moves, 1))]
    cut = shares(bounds, start=MOVED_IN, end=minutes(600), energy_milliwh=used, quantities=whole)
    assert sum(share.energy_milliwh for share in cut) == used
    together: Quantities | None = None
    for share in cut:
        together = more(together, share.quantities)
        assert share.quantities is not None
        assert not periods or share.energy_milliwh == sum(share.quantities.periods.values())
    assert together == whole


@given(st.dictionaries(st.sampled_from(["峰", "谷", "平"]), st.integers(0, 10**7), min_size=1), st.data())
def test_a_figure_cut_where_its_total_was_read_keeps_registers_and_energy_together(
    periods: dict[str, int], data: st.DataObject
) -> None:
    used = sum(periods.values())
    figure = Figure(used, "measured", Quantities(periods=periods, reactive_millivarh=5))
    head, tail = figure.cut(data.draw(st.integers(0, used)))
    for one in (head, tail):
        found = {} if one.quantities is None else one.quantities.periods
        assert sum(found.values()) == one.energy_milliwh
        assert all(energy >= 0 for energy in found.values())
    assert more(head.quantities, tail.quantities) == figure.quantities


@pytest.mark.parametrize(
    ("reactive", "reason"), [(-1, "out-of-range"), (20_000_000, "leap"), (None, "register-missing")]
)
def test_bad_reactive_energy_holds_an_interval(reactive: int | None, reason: str) -> None:
    home = intervals_home(REACTIVE)
    tells(home, interval((0, 60), "1", reactive_millivarh=reactive))
    assert home.held_for == [reason]
