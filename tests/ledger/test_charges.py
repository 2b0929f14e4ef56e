"""Charges, by bills worked out by hand: time of use, blocks, other units, demand, days."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.rating.bill import bill, counters_to_date
from ledger.rating.compiled import CompiledTariff
from ledger.rating.lines import Counters, Line
from ledger.rating.quote import quote
from ledger.rating.tariff import parse_tariff, prepaid_errors
from ledger.rating.usage import Usage, segment_usage
from ledger.values.errors import InvalidValue
from tests.ledger.bills import BERLIN, MORNING, SHANGHAI, amounts, dec, hours, used
from tests.ledger.builders import milliwh
from tests.ledger.tariff_files import ENERGY, HOURS, block_charge, compiled, tariff_file


def test_time_of_use_is_cut_at_its_hours_and_a_night_belongs_to_each_days_two_ends() -> None:
    tariff = compiled(HOURS_AND_PRICES)
    rated = bill(tariff, [hours(datetime(2026, 3, 10, 6, tzinfo=SHANGHAI), 4, "4")], days=False)
    assert [(line.time_of_use, line.quantity, line.amount_micros) for line in rated.lines] == [
        ("谷", "2.000000", 600_000),
        ("峰", "2.000000", 2_000_000),
    ]


HOURS_AND_PRICES = (
    HOURS
    + """
[[charges]]
component = "energy"
kind = "time-of-use"
prices = { "峰" = "1.00", "谷" = "0.30" }
"""
)


def test_a_register_of_a_period_needs_no_apportioning() -> None:
    tariff = compiled(HOURS_AND_PRICES)
    day = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    rated = bill(tariff, [hours(day, 24, "5", period="峰"), hours(day, 24, "7", period="谷")], days=False)
    assert [(line.time_of_use, line.quantity) for line in rated.lines] == [("峰", "5.000000"), ("谷", "7.000000")]
    with pytest.raises(InvalidValue, match="of period '平'; tariff 't' knows"):
        segment_usage(tariff, hours(day, 24, "5", period="平"))


@pytest.mark.parametrize(
    ("day", "night_hours"), [(date(2026, 3, 29), 9), (date(2026, 10, 25), 11), (date(2026, 5, 5), 10)]
)
def test_a_night_is_as_long_as_its_clocks_make_it(day: date, night_hours: int) -> None:
    tariff = compiled(HOURS_AND_PRICES, zone="Europe/Berlin")
    begins = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    length = 14 + night_hours
    rated = bill(tariff, [hours(begins, length, str(length))], days=False)
    assert {line.time_of_use: line.quantity for line in rated.lines} == {
        "峰": "14.000000",
        "谷": f"{night_hours}.000000",
    }


def test_a_period_in_the_hour_that_is_repeated_holds_twice() -> None:
    text = HOURS_AND_PRICES.replace("08:00-22:00", "02:15-02:45").replace("22:00-08:00", "02:45-02:15")
    tariff = compiled(text, zone="Europe/Berlin")
    begins = datetime(2026, 10, 25, tzinfo=BERLIN).astimezone(UTC)
    atoms = segment_usage(tariff, hours(begins, 25, "25"))
    peaks = [atom for atom in atoms if atom.time_of_use == "峰"]
    assert [(atom.end - atom.start) for atom in peaks] == [timedelta(minutes=30)] * 2
    assert peaks[1].start - peaks[0].start == timedelta(hours=1)


def test_holidays_weekends_and_days_worked_for_them_have_their_own_prices() -> None:
    text = """
[time_of_use]
country = "DE"
subdivision = "BY"
holidays = [2026-03-11]
workdays = [2026-03-14]
[[time_of_use.hours]]
period = "work"
days = ["weekday"]
times = ["00:00-24:00"]
[[time_of_use.hours]]
period = "free"
days = ["weekend"]
times = ["00:00-24:00"]
[[time_of_use.hours]]
period = "feast"
days = ["holiday"]
times = ["00:00-24:00"]
"""
    tariff = compiled(text, ENERGY, zone="Europe/Berlin")
    periods = {
        day: tariff.days.slot_at(datetime(2026, *day, 12, tzinfo=UTC)).time_of_use
        for day in [(3, 10), (3, 11), (3, 14), (3, 15), (1, 6), (12, 25)]
    }
    assert list(periods.values()) == ["work", "feast", "work", "free", "feast", "feast"]


def test_a_season_that_ends_in_february_holds_its_leap_day() -> None:
    text = """
[[time_of_use.seasons]]
name = "cold"
from = "11-01"
to = "02-29"
[[time_of_use.seasons]]
name = "warm"
from = "03-01"
to = "10-31"
[[time_of_use.hours]]
period = "c"
seasons = ["cold"]
times = ["00:00-24:00"]
[[time_of_use.hours]]
period = "w"
seasons = ["warm"]
times = ["00:00-24:00"]
"""
    tariff = compiled(text, ENERGY)
    days = [
        datetime(2028, 2, 29, 12, tzinfo=UTC),
        datetime(2027, 2, 28, 12, tzinfo=UTC),
        datetime(2027, 3, 1, 12, tzinfo=UTC),
    ]
    assert [tariff.days.slot_at(day).time_of_use for day in days] == ["c", "c", "w"]


def test_annual_blocks_count_from_their_anchor_over_the_months() -> None:
    tariff = compiled(block_charge(("100", "1"), ("", "2"), more='window = "year"\nanchor = "04-01"'))
    winter = bill(tariff, [hours(MORNING, 1, "90")], days=False)
    spring = bill(
        tariff, [hours(datetime(2026, 4, 1, 1, tzinfo=SHANGHAI), 1, "90")], counters=winter.counters, days=False
    )
    summer = bill(
        tariff, [hours(datetime(2026, 7, 1, 1, tzinfo=SHANGHAI), 1, "90")], counters=spring.counters, days=False
    )
    assert [amounts(rated.lines)["energy"] for rated in (winter, spring, summer)] == [90, 90, 10 + 160]
    assert summer.counters.years == {"energy@2025-04-01": milliwh(90), "energy@2026-04-01": milliwh(180)}
    to_date = counters_to_date(tariff, at=MORNING, month_to_date_milliwh=0, year_to_date_milliwh=milliwh(95))
    assert used(tariff, "10", counters=to_date) == dec(energy="15")


@pytest.mark.parametrize(("month", "expected"), [(2, "28 + 2 * 72"), (3, "31 + 2 * 69")])
def test_blocks_per_day_grow_with_the_days_of_the_month(month: int, expected: str) -> None:
    tariff = compiled(block_charge(("1", "1"), ("", "2"), more='window = "day"'))
    days, double = (int(part.split("* ")[-1]) for part in expected.split(" + "))
    assert used(tariff, "100", at=datetime(2026, month, 10, tzinfo=SHANGHAI)) == dec(energy=str(days + 2 * double))


def test_blocks_crossed_with_time_of_use_count_all_energy_and_price_by_both() -> None:
    text = (
        HOURS
        + """
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "3"
prices = { "峰" = "1.00", "谷" = "0.50" }
[[charges.blocks]]
prices = { "峰" = "2.00", "谷" = "0.70" }
"""
    )
    tariff = compiled(text)
    rated = bill(tariff, [hours(datetime(2026, 3, 10, 20, tzinfo=SHANGHAI), 4, "4")], days=False)
    assert [(line.block, line.time_of_use, line.amount_micros) for line in rated.lines] == [
        ("1", "峰", 2_000_000),
        ("1", "谷", 500_000),
        ("2", "谷", 700_000),
    ]
    assert rated.lines[2].rule == "energy above 3 kWh of the month in 谷, apportioned by time"
    assert sum(line.amount_micros for line in registers_of_a_day(tariff, "谷", "峰")) == 3_200_000
    assert registers_of_a_day(tariff, "谷", "峰") == registers_of_a_day(tariff, "峰", "谷")


def registers_of_a_day(tariff: CompiledTariff, *periods: str) -> list[Line]:
    """Return what registers cost that each counted 2 kWh over two days, given in this order."""
    day = datetime(2026, 3, 10, tzinfo=SHANGHAI)
    return bill(tariff, [hours(day, 48, "2", period=period) for period in periods], days=False).lines


def test_a_blocks_fee_falls_on_its_first_energy_even_where_the_last_reading_ended_at_its_edge() -> None:
    tariff = compiled(block_charge(("10", "10", "2"), ("20", "5", "3"), ("", "5", "3")))
    counters, posted = Counters(), []
    for kwh in ("4", "6", "1", "1", "8", "1"):
        rated = bill(tariff, [hours(MORNING, 1, kwh)], counters=counters, days=False)
        counters = rated.counters
        posted.append(amounts(rated.lines)["energy"])
    assert posted == [42, 60, 8, 5, 40, 8]


def test_a_ladder_of_one_period_is_climbed_by_that_periods_energy_alone() -> None:
    tariff = compiled(HOURS, block_charge(("1", "1"), ("", "5"), more='periods = ["峰"]'))
    rated = bill(tariff, [hours(datetime(2026, 3, 10, 6, tzinfo=SHANGHAI), 4, "4")], days=False)
    assert amounts(rated.lines) == dec(energy="6")


def test_volume_mode_prices_the_whole_month_anew_and_is_refused_for_prepaid() -> None:
    text = block_charge(("100", "2", "10"), ("200", "1"), ("", "0.5", "50"), more='mode = "volume"')
    tariff = compiled(text)
    first = bill(tariff, [hours(MORNING, 1, "100")], days=False)
    then = bill(tariff, [hours(MORNING, 1, "1")], counters=first.counters, days=False)
    assert (amounts(first.lines), amounts(then.lines)) == (dec(energy="210"), dec(energy="-109"))
    assert "volume mode" in prepaid_errors(parse_tariff(tariff_file(text)))[0]
    assert prepaid_errors(parse_tariff(tariff_file(ENERGY))) == []


def test_a_quote_under_volume_prices_finds_the_most_energy_beyond_where_the_price_falls() -> None:
    tariff = compiled(block_charge(("100", "2", "10"), ("200", "1"), ("", "0.5", "50"), more='mode = "volume"'))
    quoted = quote(tariff, Counters(), amount_micros=151_000_000, at=MORNING)
    assert quoted.energy_milliwh == milliwh(202)
    quoted = quote(tariff, Counters(), amount_micros=149_000_000, at=MORNING)
    assert (quoted.energy_milliwh, quoted.change_micros) == (milliwh(149), 0)


def test_reactive_and_apparent_energy_have_their_prices() -> None:
    text = """
[[charges]]
component = "reactive"
kind = "flat"
price_per_kvarh = "0.02"
[[charges]]
component = "apparent"
kind = "flat"
price_per_kvah = "0.5"
"""
    tariff = compiled(text)
    usage = hours(MORNING, 1, "3", reactive_millivarh=5_000_000, apparent_millivah=4_000_000)
    rated = bill(tariff, [usage])
    assert amounts(rated.lines) == dec(reactive="0.1", apparent="2")
    assert [line.unit for line in rated.lines] == ["kvarh", "kVAh"]


DEMAND = """
[[charges]]
component = "demand"
kind = "demand"
price_per_kw = "40"
interval_min = 15
"""


def test_demand_is_charged_by_the_increments_of_the_months_maximum() -> None:
    tariff = compiled(DEMAND)
    usage = [
        hours(MORNING + timedelta(hours=n), 1, "1", demand_w=watts) for n, watts in enumerate([2_000, 5_500, 5_000])
    ]
    rated = bill(tariff, usage)
    assert amounts(rated.lines) == dec(demand="220")
    next_month = bill(
        tariff, [hours(datetime(2026, 4, 2, tzinfo=SHANGHAI), 1, "1", demand_w=1_000)], counters=rated.counters
    )
    assert amounts(next_month.lines) == dec(demand="40")


@pytest.mark.parametrize(
    ("start", "minutes", "expected"),
    [(MORNING, 15, {"demand": Decimal(160)}), (MORNING + timedelta(minutes=5), 15, {}), (MORNING, 30, {})],
)
def test_demand_comes_from_aligned_intervals_of_the_right_length_only(
    start: datetime, minutes: int, expected: dict[str, Decimal]
) -> None:
    usage = Usage(start, start + timedelta(minutes=minutes), milliwh(1))
    assert amounts(bill(compiled(DEMAND), [usage]).lines) == {
        name: value.normalize() for name, value in expected.items()
    }


def test_standing_and_fixed_charges_are_of_whole_local_days() -> None:
    text = """
[[charges]]
component = "standing"
kind = "daily"
price_per_day = "0.20"
[[charges]]
component = "fixed"
kind = "per-kw"
price_per_kw_month = "36.5"
"""
    usage = hours(datetime(2026, 3, 10, 23, tzinfo=SHANGHAI), 26, "1")
    rated = bill(compiled(text), [usage], contracted_kw=Decimal("2.5"))
    assert amounts(rated.lines) == dec(standing="0.60", fixed="9")
    with pytest.raises(InvalidValue, match="in whole watts"):
        bill(compiled(text), [usage], contracted_kw=Decimal("0.0001"))
