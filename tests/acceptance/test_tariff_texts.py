"""Money, energy, distributions and comparisons as the tariff commands write them."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.tariffs.amounts import kwh_text, money_text, rounded_text
from console.tariffs.histogram import MOST_BINS, bar, binned
from console.tariffs.side_by_side import compared

FILE = """
code = "home"
[[charges]]
component = "energy"
kind = "blocks"
[[charges.blocks]]
up_to_kwh = "100"
price_per_kwh = "0.5"
[[charges.blocks]]
price_per_kwh = "0.8"
"""


@pytest.mark.parametrize(
    ("micros", "text"),
    [(448_000_000, "448.00"), (32_658_904, "32.658904"), (-500_000, "-0.50"), (0, "0.00"), (1, "0.000001")],
)
def test_money_keeps_every_micro_unit_and_two_places_at_least(micros: int, text: str) -> None:
    assert money_text(micros) == text


@given(st.integers(-(10**24), 10**24))
def test_no_amount_and_no_energy_is_lost_in_writing(number: int) -> None:
    assert int(Decimal(money_text(number)).scaleb(6)) == number
    assert kwh_text(number).partition(".")[2].isdecimal()


@pytest.mark.parametrize(("currency", "text"), [("CNY", "2.29"), ("JPY", "2"), ("KWD", "2.285"), ("CLF", "2.2850")])
def test_a_currency_is_rounded_to_its_own_minor_unit(currency: str, text: str) -> None:
    assert rounded_text(2_285_000, currency=currency) == text


@given(st.lists(st.decimals(-100_000, 100_000, places=2), min_size=1, max_size=50))
def test_every_value_is_in_exactly_one_bin_of_few(values: list[Decimal]) -> None:
    bins = binned(values)
    assert len(bins) <= MOST_BINS
    assert sum(row.count for row in bins) == len(values)
    for row in bins:
        assert row.count == sum(row.low <= value < row.high for value in values)
    assert all(before.high == after.low for before, after in pairwise(bins))


def test_what_is_there_can_be_seen() -> None:
    assert bar(0, largest=1000) == ""
    assert bar(1, largest=1000) == "█"


def test_a_comparison_names_each_setting_that_was_changed_added_or_removed() -> None:
    changed = FILE.replace('"0.8"', '"0.9"') + '[[taxes]]\ncomponent = "vat"\npercent = "13"\n'
    rows = {(row.part, row.key): row for row in compared(FILE, changed) if row.change != "same"}
    assert {key: row.change for key, row in rows.items()} == {
        ("charges energy", "blocks[2]"): "changed",
        ("taxes vat", "component"): "added",
        ("taxes vat", "percent"): "added",
    }
    assert (
        rows["charges energy", "blocks[2]"].left,
        rows["charges energy", "blocks[2]"].right,
    ) == ("price_per_kwh 0.8", "price_per_kwh 0.9")
    assert all(row.change == "same" for row in compared(FILE, FILE))
