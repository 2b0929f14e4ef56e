"""Reactive energy and demand beside the total: they bill what is priced by them, and hold nothing else (I4, I6)."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.billed import Figure, folded_counters
from ledger.domain.metering import take_interval
from ledger.domain.occupancy import shares
from ledger.domain.supply import Registers
from ledger.rating.quantities import Quantities, more
from ledger.wire import IntervalReading
from tests.ledger.builders import MOVED_IN, Household, household, milliwh, minutes, occupied
from tests.ledger.registered_room import DEMAND, REACTIVE, room, totals
from tests.ledger.tariff_files import ENERGY, tariff_file


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
