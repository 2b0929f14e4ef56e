"""Each component of a tariff by a bill worked out by hand."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from ledger.rating.bill import bill, counters_to_date, quantity_usage
from ledger.rating.daily import close_period, rate_day
from ledger.rating.ladder import Part
from ledger.rating.lines import Counters, Line
from ledger.rating.quote import quote
from ledger.rating.rate import CompiledTariff, rate
from ledger.rating.tariff import parse_tariff, prepaid_errors
from ledger.rating.usage import Usage, segment_usage
from ledger.values.errors import InvalidValue, Refused
from ledger.values.money import decimal_from_micros
from tests.ledger.builders import milliwh
from tests.ledger.tariff_files import ENERGY, HOURS, block_charge, compiled, tariff_file

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 3, 10, 9, tzinfo=SHANGHAI)


def amounts(lines: list[Line]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line.component] = found.get(line.component, Decimal(0)) + decimal_from_micros(line.amount_micros)
    return {name: amount.normalize() for name, amount in found.items()}


def dec(**figures: str) -> dict[str, Decimal]:
    return {name: Decimal(figure).normalize() for name, figure in figures.items()}


def used(
    tariff: CompiledTariff, kwh: str, *, counters: Counters | None = None, at: datetime = MORNING
) -> dict[str, Decimal]:
    usage = quantity_usage(tariff, milliwh(kwh), at=at)
    return amounts(bill(tariff, [usage], counters=counters or Counters(), days=False).lines)


def hours(start: datetime, number: float, kwh: str, **more: object) -> Usage:
    return Usage(start, start + timedelta(hours=number), milliwh(kwh), **more)  # type: ignore[arg-type]


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
    assert rated.lines[2].rule == "energy above 3 kWh of the month in 谷"


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


def test_levies_rebates_and_taxes_work_on_exact_bases_and_on_one_another() -> None:
    text = (
        ENERGY
        + """
[[levies]]
component = "duty"
price_per_kwh = "0.05"
[[levies]]
component = "fund"
percent = "10"
on = ["energy", "duty"]
[[rebates]]
component = "rebate"
percent = "2"
on = ["energy"]
[[taxes]]
component = "city"
percent = "5"
on = ["energy"]
[[taxes]]
component = "vat"
percent = "20"
on = ["energy", "duty", "fund", "rebate", "city"]
"""
    )
    assert used(compiled(text), "100") == dec(energy="100", duty="5", fund="10.5", rebate="-2", city="5", vat="23.7")


def test_prices_that_include_taxes_are_split_and_add_up_again() -> None:
    text = (
        ENERGY
        + """
[[taxes]]
component = "city"
percent = "10"
on = ["energy"]
[[taxes]]
component = "vat"
percent = "20"
on = ["energy", "city"]
"""
    )
    tariff = compiled(text, prices="tax-inclusive")
    assert used(tariff, "132") == dec(energy="100", city="10", vat="22")
    rated = bill(tariff, [quantity_usage(tariff, milliwh(1), at=MORNING)], days=False)
    assert rated.lines[0].rule == "energy used, tax taken out of the price"


def test_free_units_cover_the_first_energy_and_still_count_in_blocks() -> None:
    text = (
        block_charge(("20", "1"), ("", "3"))
        + """
[[free_units]]
component = "basic"
kwh = "15"
on = ["energy"]
[[taxes]]
component = "vat"
percent = "10"
on = ["energy", "basic"]
"""
    )
    tariff = compiled(text)
    assert used(tariff, "10") == dec(energy="10", basic="-10", vat="0")
    assert used(tariff, "30") == dec(energy="50", basic="-15", vat="3.5")


MINIMUM = (
    ENERGY
    + """
[[minimums]]
component = "minimum"
amount = "30"
on = ["energy"]
[[taxes]]
component = "vat"
percent = "10"
on = ["energy", "minimum"]
"""
)


def test_a_minimum_charges_its_shortfall_at_the_periods_close_with_its_tax() -> None:
    tariff = compiled(MINIMUM)
    rated = bill(tariff, [hours(MORNING, 1, "10")], closes_period=True)
    assert amounts(rated.lines) == dec(energy="10", minimum="20", vat="3")
    enough = bill(tariff, [hours(MORNING, 1, "40")], closes_period=True)
    assert amounts(enough.lines) == dec(energy="40", vat="4")


def test_each_month_in_a_bill_falls_short_by_itself() -> None:
    usage = [hours(MORNING, 1, "10"), hours(datetime(2026, 4, 2, tzinfo=SHANGHAI), 1, "25")]
    assert amounts(bill(compiled(MINIMUM), usage, closes_period=True).lines)["minimum"] == 25


ALLOWANCE = (
    ENERGY
    + """
[[allowances]]
component = "social"
amount_per_day = "2"
max_carried = "3"
on = ["energy"]
"""
)


def test_an_allowance_pays_each_day_and_carries_over_no_more_than_its_maximum() -> None:
    tariff = compiled(ALLOWANCE)
    counters, paid = Counters(), []
    for day, kwh in [(10, "0.5"), (11, "1"), (12, "0"), (13, "9"), (14, "9")]:
        at = datetime(2026, 3, day, 9, tzinfo=SHANGHAI)
        rated = bill(tariff, [hours(at, 1, kwh)], counters=counters)
        counters = rated.counters
        paid.append(amounts(rated.lines).get("social", Decimal(0)))
    # 2 − 0.5 = 1.5; 1.5 + 2 − 1 = 2.5; 2.5 + 2 = 4.5, of which 3 are carried; 3 + 2 = 5 paid; then 2 a day.
    assert paid == [Decimal("-0.5"), -1, 0, -5, -2]
    assert all(line.allowance for line in rated.lines if line.component == "social")


def test_what_is_left_of_an_allowance_is_carried_into_the_next_month() -> None:
    tariff = compiled(ALLOWANCE)
    march = rate_day(tariff, Counters(), day=date(2026, 3, 31))
    april = bill(tariff, [hours(datetime(2026, 4, 1, 9, tzinfo=SHANGHAI), 1, "9")], counters=march.counters)
    assert amounts(april.lines)["social"] == -4


CLASSES = """
[[classes]]
name = "hotel"
multiplier = "1.5"
[[classes]]
name = "school"
multiplier = "0.5"
on = ["energy"]
"""
STANDING = '[[charges]]\ncomponent = "standing"\nkind = "daily"\nprice_per_day = "1"\n'


@pytest.mark.parametrize(
    ("name", "energy", "standing"), [("", "10", "1"), ("hotel", "15", "1.5"), ("school", "5", "1")]
)
def test_a_class_pays_a_multiple_of_the_prices_it_names(name: str, energy: str, standing: str) -> None:
    tariff = compiled(ENERGY, STANDING, CLASSES, account_class=name)
    assert amounts(bill(tariff, [hours(MORNING, 1, "10")]).lines) == dec(energy=energy, standing=standing)


def test_an_unknown_class_is_told() -> None:
    with pytest.raises(InvalidValue, match=r"class 'inn' is not in tariff 't'; known: \['hotel', 'school'\]"):
        compiled(ENERGY, CLASSES, account_class="inn")


@pytest.mark.parametrize(
    ("rule", "window", "limit", "expected"),
    [
        ("none", "month", "31", 31),
        ("days", "month", "31", 11),
        ("months", "month", "31", 31),
        ("days", "year", "365", 286),
        ("months", "year", "120", 100),
        ("days", "day", "1", 11),
    ],
)
def test_blocks_shrink_to_the_part_of_their_window_that_is_lived_in(
    rule: str, window: str, limit: str, expected: int
) -> None:
    """Moved in on 21 March: 11 days of 31, 286 of 365, ten begun months of twelve."""
    text = block_charge((limit, "1"), ("", "2"), more=f'window = "{window}"') + f'[proration]\nblocks = "{rule}"\n'
    tariff = compiled(text).for_part(Part(first=date(2026, 3, 21)))
    at = datetime(2026, 3, 25, tzinfo=SHANGHAI)
    assert used(tariff, str(expected + 1), at=at) == dec(energy=str(expected + 2))


def test_months_of_an_annual_window_begin_on_its_anchors_day() -> None:
    """Of the year from 15 March, 20 April leaves eleven begun months of twelve."""
    text = block_charge(("120", "1"), ("", "2"), more='window = "year"\nanchor = "03-15"')
    tariff = compiled(text, '[proration]\nblocks = "months"\n').for_part(Part(first=date(2026, 4, 20)))
    assert used(tariff, "111", at=datetime(2026, 4, 25, tzinfo=SHANGHAI)) == dec(energy="112")


def test_what_is_given_back_rounds_half_away_from_zero_too() -> None:
    """Half a micro-unit is given back twice: −1 at first, and −1 in all."""
    rebate = '[[rebates]]\ncomponent = "rebate"\npercent = "50"\non = ["energy"]\n'
    tariff = compiled(ENERGY, rebate)
    first = bill(tariff, [hours(MORNING, 1, "0.000001")], days=False)
    then = bill(tariff, [hours(MORNING, 1, "0.000001")], counters=first.counters, days=False)
    given = [amounts(rated.lines)["rebate"] for rated in (first, then)]
    assert given == [Decimal("-0.000001"), 0]


def test_a_minimum_shrinks_to_the_days_lived_in() -> None:
    tariff = compiled(MINIMUM, '[proration]\nminimum = "days"\n')
    counters = bill(tariff, [hours(MORNING, 1, "1")]).counters
    closed = close_period(tariff, counters, part=Part(date(2026, 3, 1), date(2026, 3, 11)))
    assert amounts(closed.lines)["minimum"] == Decimal("8.677419")


@pytest.mark.parametrize(("on_change", "expected"), [("carry-over", "20"), ("restart", "10"), ("prorate", "16")])
def test_a_version_that_takes_over_in_a_month_treats_blocks_as_it_says(on_change: str, expected: str) -> None:
    """10 kWh were used; the version from 28 March has 4 of 31 days, so 4 kWh of its first 31."""
    text = block_charge(("10", "1"), ("", "2"))
    before = bill(compiled(text), [hours(MORNING, 1, "10")], days=False).counters
    proration = f'[proration]\non_change = "{on_change}"\nblocks = "days"\n'
    later = compiled(block_charge(("10" if on_change != "prorate" else "31", "1"), ("", "2")), proration, version=2)
    if on_change == "prorate":
        later = later.for_part(Part(first=date(2026, 3, 28)))
    at = datetime(2026, 3, 29, tzinfo=SHANGHAI)
    assert used(later, "10", counters=before, at=at) == dec(energy=expected)


def test_counters_survive_a_version_with_another_denominator() -> None:
    one, other = (
        compiled(ENERGY.replace('"1"', '"0.000001"')),
        compiled(ENERGY.replace('"1"', '"0.0000003"'), version=2),
    )
    counters = Counters()
    posted = 0
    for number in range(12):
        rated = bill([one, other][number % 2], [hours(MORNING, 1, "0.4")], counters=counters, days=False)
        counters = rated.counters
        posted += sum(line.amount_micros for line in rated.lines)
    # 6 × 0.4 + 6 × 0.12 micro-units = 3.12.
    assert posted == 3


def test_counters_from_before_exact_charges_go_on_to_the_same_amounts() -> None:
    tariff = compiled(ENERGY.replace('"1"', '"0.617"'))
    old = Counters("2026-03", 1_001)
    atoms = segment_usage(tariff, hours(MORNING, 1, "0.000002"))
    posted = sum(line.amount_micros for line in rate(tariff, old, atoms).lines)
    # 1003 × 0.617 = 618.851 and 1001 × 0.617 = 617.617.
    assert posted == 619 - 618


def test_what_is_free_has_no_quote() -> None:
    tariff = compiled(ENERGY.replace('"1"', '"0"'))
    with pytest.raises(Refused, match="no end to what an amount buys"):
        quote(tariff, Counters(), amount_micros=1_000_000, at=MORNING)
    with pytest.raises(InvalidValue, match=r"amount -0\.000001 is negative"):
        quote(tariff, Counters(), amount_micros=-1, at=MORNING)


def test_an_amount_below_the_opening_fee_buys_nothing_and_is_all_change() -> None:
    tariff = compiled(block_charge(("", "1", "2")))
    quoted = quote(tariff, Counters(), amount_micros=1_999_999, at=MORNING)
    assert (quoted.energy_milliwh, quoted.cost_micros, quoted.change_micros, quoted.lines) == (0, 0, 1_999_999, [])


@pytest.mark.parametrize(
    ("usage", "complaint"),
    [
        (Usage(MORNING, MORNING - timedelta(hours=1), 1), "before it; give start and end"),
        (Usage(MORNING, MORNING.replace(year=9999), 1), "is beyond any meter; check its years"),
        (Usage(MORNING, MORNING, -1), "import_milliwh -1; it cannot be negative"),
    ],
)
def test_usage_that_cannot_be_is_told(usage: Usage, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint):
        segment_usage(compiled(ENERGY), usage)
