"""Published bills, restated: to the micro-unit, or within the tolerance that was published.

The figures are those of the project's shared file of rating cases; their sources stand beside each.
"""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ledger.rating.bill import bill, counters_to_date, quantity_usage
from ledger.rating.lines import Line
from ledger.rating.quote import quote
from ledger.rating.usage import Usage
from ledger.values.energy import milliwh_from_text
from ledger.values.money import decimal_from_micros, rounded_to_minor_unit
from tests.ledger.builders import milliwh
from tests.ledger.tariff_files import block_charge, compiled

NOON = datetime(2026, 3, 10, 4, tzinfo=UTC)
LOAD = Path(__file__).parents[3] / "shared/data/ssc_residential"

# A provincial residential step tariff, worked example (w09.net).
STEPS = block_charge(("260", "0.64"), ("600", "0.69"), ("", "0.94"))
# getlago/lago-api, graduated and volume charge models.
GRADUATED = block_charge(("10", "10", "2"), ("20", "5", "3"), ("", "5", "3"))
VOLUME = block_charge(("100", "2", "10"), ("200", "1"), ("", "0.5", "50"), more='mode = "volume"')
# lalit-prakash/prepaid_engine: Meghalaya BPL slabs, and its day bill (TariffGoldenDataTests).
SLABS = block_charge(("30", "4.57"), ("100", "5.00"), ("200", "5.04"), ("", "5.10"))
DAY_BILL = (
    block_charge(("100", "5.00"), ("200", "5.04"), ("", "5.10"))
    + """
[[charges]]
component = "fixed"
kind = "per-kw"
price_per_kw_month = "90"
[[levies]]
component = "duty"
price_per_kwh = "0.05"
[[rebates]]
component = "rebate"
percent = "2"
on = ["energy"]
"""
)


def total(lines: list[Line]) -> Decimal:
    return decimal_from_micros(sum(line.amount_micros for line in lines))


@pytest.mark.parametrize(
    ("charge", "kwh", "expected"),
    [
        (STEPS, "650", "448.00"),
        (GRADUATED, "0", "2"),
        (GRADUATED, "1", "12"),
        (GRADUATED, "10", "102"),
        (GRADUATED, "11", "110"),
        (VOLUME, "0", "10"),
        (VOLUME, "1", "12"),
        (VOLUME, "100", "210"),
        (SLABS, "30", "137.10"),
        (SLABS, "50", "237.10"),
    ],
)
def test_a_quantity_comes_to_what_was_published(charge: str, kwh: str, expected: str) -> None:
    tariff = compiled(charge)
    rated = bill(tariff, [quantity_usage(tariff, milliwh(kwh), at=NOON)], days=False)
    assert total(rated.lines) == Decimal(expected)


@pytest.mark.parametrize(
    ("charge", "kwh", "cost"), [(STEPS, 650, "448"), (SLABS, 50, "237.10"), (GRADUATED, 11, "110")]
)
def test_what_was_published_buys_that_quantity(charge: str, kwh: int, cost: str) -> None:
    tariff = compiled(charge)
    amount = int(Decimal(cost) * 10**6)
    quoted = quote(tariff, counters_to_date(tariff, at=NOON), amount_micros=amount, at=NOON)
    assert (quoted.energy_milliwh, quoted.change_micros) == (milliwh(kwh), 0)


@pytest.mark.parametrize(("begins", "ends", "expected"), [("0", "6", "32.658904"), ("222", "222", "2.958904")])
def test_a_prepaid_days_bill_is_as_published(begins: str, ends: str, expected: str) -> None:
    tariff = compiled(DAY_BILL)
    counters = counters_to_date(tariff, at=NOON, month_to_date_milliwh=milliwh(begins))
    used = Usage(NOON, NOON + timedelta(hours=1), milliwh(ends) - milliwh(begins))
    rated = bill(tariff, [used], counters=counters, contracted_kw=Decimal(1))
    assert total(rated.lines) == Decimal(expected)


def test_rounding_to_the_minor_unit_is_as_published() -> None:
    """getlago/lago-api, wallet rounding."""
    assert rounded_to_minor_unit(Decimal("17.9699999999999988631316")) == Decimal("17.97")


def _hours(case: dict[str, list[list[int]]]) -> str:
    """Write a matrix of months × hours as seasons and hours of a tariff file."""
    text = ""
    for month in range(12):
        text += f'[[time_of_use.seasons]]\nname = "{month}"\nfrom = "{month + 1:02d}-01"\nto = "{_last_day(month)}"\n'
    for kind in ("weekday", "weekend"):
        for month, row in enumerate(case[f"{kind}_period_by_month_and_hour"]):
            for hour, period in enumerate(row):
                text += f'[[time_of_use.hours]]\nperiod = "{period}"\nseasons = ["{month}"]\ndays = ["{kind}"]\n'
                text += f'times = ["{hour:02d}:00-{hour + 1:02d}:00"]\n'
    return text


def _last_day(month: int) -> str:
    return f"{month + 1:02d}-{(31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month]}"


@pytest.mark.skipif(not LOAD.exists(), reason="the year of load is not beside the project")
def test_a_year_of_hourly_load_under_four_periods_comes_to_its_published_bill() -> None:
    """NREL ssc, Test_Residential_TOU_Rates: published 771.8, recomputed 771.776."""
    case = json.loads((LOAD / "tou_case.json").read_text())
    prices = "".join(f'"{name}" = "{price}"\n' for name, price in case["prices_per_kwh"].items())
    charge = f'[[charges]]\ncomponent = "energy"\nkind = "time-of-use"\n[charges.prices]\n{prices}'
    tariff = compiled(_hours(case), charge, zone="Etc/GMT+5")
    begins = datetime(2018, 1, 1, tzinfo=ZoneInfo("Etc/GMT+5"))
    used = [
        Usage(begins + timedelta(hours=hour), begins + timedelta(hours=hour + 1), milliwh_from_text(kwh))
        for hour, kwh in enumerate((LOAD / "load_kwh_hourly.csv").read_text().split())
    ]
    rated = bill(tariff, used)
    assert len(used) == 8_760
    assert abs(total(rated.lines) - Decimal("771.776")) < Decimal("0.005")
    assert sum(Decimal(line.quantity) for line in rated.lines) == sum(
        (Decimal(usage.import_milliwh) for usage in used), Decimal(0)
    ).scaleb(-6)
