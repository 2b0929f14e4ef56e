"""A supply point's life: exchanges, multipliers, removals and moves, as the meter stream takes them in."""

from decimal import Decimal

import msgspec
import pytest

from ledger.domain import intervals
from ledger.domain.meter import UsageDebited
from ledger.domain.meter_life import BaseChanged, OccupancyCorrected
from tests.ledger.builders import MODULUS_KWH, interval_of, milliwh, minutes
from tests.ledger.life import Life, life

BLOCKS = """
code = "flat"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
tax_point = "supply"
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "10"
price_per_kwh = "0.5"
[[charges.blocks]]
price_per_kwh = "1"
"""


def test_an_exchange_bills_the_old_meter_to_its_closing_and_the_new_one_from_its_opening() -> None:
    home = life()
    home.reads(101, at=15)
    home.exchanges(at=30, closing=102, opening=7)
    home.reads(Decimal("7.5"), at=45)
    assert home.kwh == {"room-1-a": Decimal("2.5")}
    assert home.kinds == ["UsageDebited", "UsageDebited", "BaseChanged", "BaseChanged", "UsageDebited"]
    removed, opened = home.facts(BaseChanged)
    assert (removed.change, removed.closing_milliwh, removed.opening_milliwh) == (
        "meter-removed",
        milliwh(102),
        None,
    )
    assert (opened.change, opened.meter, opened.opening_milliwh) == ("meter-installed", "room-1-n", milliwh(7))


def test_an_old_meters_late_reading_is_superseded_and_what_it_says_later_is_of_nobody() -> None:
    home = life()
    home.exchanges(at=30, closing=102, opening=0)
    home.reads(0, at=31)
    before = len(home.draft.events)
    home.reads(101, at=20, serial="room-1-m")
    assert (home.metering.superseded, len(home.draft.events)) == (1, before)
    assert home.supply.spell_of("room-1-m", minutes(31)) is None


def test_a_closing_register_nobody_could_have_used_is_held_and_the_new_meter_goes_on() -> None:
    home = life()
    home.exchanges(at=60, closing=900, opening=0)
    home.reads(1, at=70)
    assert [(hold.reason, hold.meter) for hold in home.holds] == [("leap", "room-1-m")]
    assert home.kwh == {"room-1-a": Decimal(1)}
    assert home.metering.state.episode is None


def test_a_closing_register_that_nobody_read_bills_nothing_and_leaves_the_gap_to_be_seen() -> None:
    home = life()
    home.reads(101, at=15)
    home.exchanges(at=60, closing=None, opening=5)
    home.reads(6, at=75)
    assert home.kwh == {"room-1-a": Decimal(2)}
    assert home.facts(BaseChanged)[0].closing_milliwh == milliwh(101)


def test_an_exchange_before_anybody_occupied_the_supply_point_leaves_no_trace() -> None:
    home = life()
    home.exchanges(at=-60, closing=99, opening=100)
    home.reads(101, at=15)
    assert home.kwh == {"room-1-a": Decimal(1)}


def test_a_multiplier_multiplies_the_register_and_the_physical_limit() -> None:
    home = life()
    home.reads(101, at=15)
    home.multiplies("40", at=30, register=Decimal("101.5"))
    home.reads(102, at=45)
    assert home.kwh == {"room-1-a": Decimal("21.5")}
    [debit] = [fact for fact in home.facts(UsageDebited) if fact.multiplier == "40"]
    assert (debit.opening_milliwh, debit.closing_milliwh) == (milliwh(4060), milliwh(4080))


def test_a_fraction_of_a_multiplier_loses_nothing_however_often_the_register_is_read() -> None:
    often, once = life(), life()
    for home in (often, once):
        home.multiplies("200/3", at=1, register=100)
    for minute in range(2, 62):
        often.reads(Decimal("100.000007") + Decimal(minute) / 1000, at=minute)
    once.reads(Decimal("100.000007") + Decimal(61) / 1000, at=61)
    assert often.kwh == once.kwh


def test_a_multiplied_register_rolls_over_at_its_multiplied_modulus() -> None:
    home = life()
    home.exchanges(at=1, closing=100, opening=MODULUS_KWH - 1)
    home.multiplies("40", at=2, register=MODULUS_KWH - 1)
    home.reads(Decimal("0.5"), at=62)
    assert home.kwh == {"room-1-a": Decimal(60)}
    assert home.holds == []


def test_a_removed_meter_is_billed_to_its_closing_and_its_successor_from_its_opening() -> None:
    home = life()
    home.removes(at=30, closing=103)
    home.settled()
    assert home.kwh == {"room-1-a": Decimal(3)}
    home.installs(at=600, opening=50)
    home.reads(51, at=660)
    assert home.kwh == {"room-1-a": Decimal(4)}


def test_a_move_with_its_register_bills_each_occupant_what_they_used() -> None:
    home = life()
    home.reads(101, at=15)
    home.moves_in("room-1-b", at=30, register=Decimal("101.7"))
    home.reads(103, at=45)
    assert home.kwh == {"room-1-a": Decimal("1.7"), "room-1-b": Decimal("1.3")}
    [closed] = home.closed
    assert (closed.account, closed.closing_milliwh, closed.is_apportioned) == (
        "room-1-a",
        milliwh(Decimal("101.7")),
        False,
    )


def test_a_move_that_nobody_read_a_register_at_apportions_the_usage_around_it() -> None:
    home = life()
    home.reads(101, at=15)
    home.moves_in("room-1-b", at=30)
    home.reads(102, at=45)
    assert home.kwh == {"room-1-a": Decimal("1.5"), "room-1-b": Decimal("0.5")}
    assert home.closed[0].is_apportioned


def test_an_idle_meter_closes_an_occupancy_too() -> None:
    home = life()
    home.reads(101, at=15)
    home.moves_out(at=30)
    home.reads(101, at=45)
    assert [closed.closing_milliwh for closed in home.closed] == [milliwh(101)]
    assert home.metering.state.account == "landlord"


def test_a_move_told_in_the_evening_is_booked_as_if_it_had_been_known() -> None:
    late = life(text=BLOCKS)
    known = life(text=BLOCKS)
    known.moves_out(at=300, register=106)
    for minute, register in ((150, 103), (450, 109), (600, 114), (750, 125)):
        late.reads(register, at=minute)
        known.reads(register, at=minute)
    late.moves_out(at=300, register=106)
    late.settled()
    assert late.kwh == known.kwh == {"room-1-a": Decimal(6), "landlord": Decimal(19)}
    assert late.charged == known.charged
    assert late.metering.state.counters == known.metering.state.counters
    assert late.metering.state.former == known.metering.state.former
    [correction] = late.facts(OccupancyCorrected)
    assert correction.amount_micros == sum(
        posting.amount_micros for posting in correction.postings if posting.account
    )
    late.reads(130, at=900)
    known.reads(130, at=900)
    assert late.charged == known.charged


def test_a_register_that_does_not_fit_the_readings_is_held_and_the_move_is_apportioned() -> None:
    home = life()
    for minute in range(1, 61):
        home.reads(100 + Decimal(minute) / 10, at=minute)
    home.moves_out(at=30.5, register=104)
    home.settled()
    assert [hold.reason for hold in home.holds] == ["conflicting"]
    assert home.kwh == {"room-1-a": Decimal("3.05"), "landlord": Decimal("2.95")}
    assert home.closed[0].is_apportioned


def test_fresh_blocks_for_every_occupant_and_the_formers_own_for_late_usage() -> None:
    home = life(measures="interval", text=BLOCKS)
    home.uses(8, between=(0, 60))
    home.moves_in("room-1-b", at=120)
    home.uses(8, between=(120, 180))
    home.uses(4, between=(60, 120))
    assert home.kwh == {"room-1-a": Decimal(12), "room-1-b": Decimal(8)}
    assert home.charged == {("room-1-a", "energy"): 7_000_000, ("room-1-b", "energy"): 4_000_000}


@pytest.mark.parametrize("is_known", [True, False])
def test_an_interval_across_a_move_is_shared_and_corrected_for_both(is_known: bool) -> None:
    home = life(measures="interval", text=BLOCKS)
    if is_known:
        home.moves_in("room-1-b", at=30)
    home.uses(4, between=(0, 60), quality="estimated")
    if not is_known:
        home.moves_in("room-1-b", at=30)
    home.settled()
    assert home.kwh == {"room-1-a": Decimal(2), "room-1-b": Decimal(2)}
    _supersede(home, 6)
    assert home.kwh == {"room-1-a": Decimal(3), "room-1-b": Decimal(3)}
    assert home.charged == {("room-1-a", "energy"): 1_500_000, ("room-1-b", "energy"): 1_500_000}


def _supersede(home: Life, kwh: int) -> None:
    reading = interval_of((0, 60), kwh)
    home.takes(msgspec.structs.replace(reading, supersedes=intervals.identity(reading)))


def test_late_usage_of_an_occupant_long_gone_goes_on_with_their_own_counters() -> None:
    home = life(measures="interval", text=BLOCKS)
    home.uses(8, between=(0, 60))
    for number in range(1, 8):
        home.moves_in(f"tenant-{number}", at=120 * number)
        home.uses(1, between=(120 * number, 120 * number + 30))
    home.uses(4, between=(60, 120))
    assert home.charged["room-1-a", "energy"] == 7_000_000
    assert len(home.metering.state.former) == 4


def test_a_meter_that_reads_back_another_serial_is_held_once_and_billed_again_when_it_is_itself() -> None:
    home = life()
    home.reads(101, at=15, read_back="room-1-m")
    home.reads(350, at=30, read_back="9")
    home.reads(351, at=45, read_back="9")
    assert [(hold.reason, hold.detail) for hold in home.holds] == [
        ("crossed-meter", "the meter at room-1-m's address reads back serial 9")
    ]
    assert (home.metering.state.read_back, home.metering.held) == ("9", 1)
    home.reads(102, at=60, read_back="room-1-m")
    assert home.kinds[-2:] == ["SerialConfirmed", "UsageDebited"]
    assert (home.metering.state.read_back, home.kwh) == ("", {"room-1-a": Decimal(2)})


def test_leading_zeros_make_no_other_serial() -> None:
    home = life()
    home.reads(101, at=15, read_back="000room-1-m")
    assert home.kwh == {"room-1-a": Decimal(1)}


def test_an_exchange_ends_the_doubt_about_a_serial() -> None:
    home = life()
    home.reads(350, at=30, read_back="9")
    home.exchanges(at=40, closing=101, opening=0)
    home.reads(1, at=60)
    assert home.metering.state.read_back == ""
