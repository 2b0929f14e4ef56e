"""What works on charges, by bills worked out by hand: levies, taxes, free units, minimums, allowances, classes."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from ledger.rating.bill import bill, quantity_usage
from ledger.rating.daily import close_period, rate_day
from ledger.rating.ladder import Part
from ledger.rating.lines import Counters
from ledger.rating.quote import quote
from ledger.rating.rate import rate
from ledger.rating.usage import Usage, segment_usage
from ledger.values.errors import InvalidValue, Refused
from tests.ledger.bills import MORNING, SHANGHAI, amounts, dec, hours, used
from tests.ledger.builders import milliwh
from tests.ledger.tariff_files import ENERGY, block_charge, compiled


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
