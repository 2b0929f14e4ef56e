"""Bills that others have published, restated as tariff files and rated on the command line, to the micro-unit."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.values.money import rounded_to_minor_unit
from tests.acceptance.tariff_desk import TariffDesk

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
CASES_FILE = SHARED / "rating_cases.json"
YEAR_OF_LOAD = SHARED / "ssc_residential"

Block = tuple[str | None, str, str]


@pytest.fixture
def desk(tmp_path: Path) -> TariffDesk:
    return TariffDesk(tmp_path)


def blocks(*rows: Block, window: str = "month", mode: str = "cumulative") -> str:
    """A block charge of (up to kWh, price per kWh, entry fee) rows."""
    text = f'\n[[charges]]\ncomponent = "energy"\nkind = "blocks"\nwindow = "{window}"\nmode = "{mode}"\n'
    for up_to, price, fee in rows:
        text += "[[charges.blocks]]\n" + (f'up_to_kwh = "{up_to}"\n' if up_to else "")
        text += f'price_per_kwh = "{price}"\nentry_fee = "{fee}"\n'
    return text


CHINA = blocks(("260", "0.64", "0"), ("600", "0.69", "0"), (None, "0.94", "0"), window="year")
GRADUATED = blocks(("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
VOLUME = blocks(("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"), mode="volume")
SLABS = blocks(("30", "4.57", "0"), ("100", "5.00", "0"), ("200", "5.04", "0"), (None, "5.10", "0"))
DAY_BILL = (
    blocks(("100", "5.00", "0"), ("200", "5.04", "0"), (None, "5.10", "0"))
    + """
[[charges]]
component = "fixed"
kind = "per-kw"
price_per_kw_month = "90"

[[rebates]]
component = "rebate"
percent = "2"
on = ["energy"]

[[levies]]
component = "duty"
price_per_kwh = "0.05"
on = ["energy"]
"""
)


@pytest.mark.parametrize(
    ("charges", "kwh", "total"),
    [
        pytest.param(CHINA, "650", "448.00", id="china_annual_step"),
        pytest.param(GRADUATED, "0", "2.00", id="graduated_with_flat_fees, nothing used"),
        pytest.param(GRADUATED, "1", "12.00", id="graduated_with_flat_fees, first block"),
        pytest.param(GRADUATED, "10", "102.00", id="graduated_with_flat_fees, first block full"),
        pytest.param(GRADUATED, "11", "110.00", id="graduated_with_flat_fees, second block"),
        pytest.param(VOLUME, "0", "10.00", id="volume, nothing used"),
        pytest.param(VOLUME, "1", "12.00", id="volume, first block"),
        pytest.param(VOLUME, "100", "210.00", id="volume, first block full"),
        pytest.param(SLABS, "30", "137.10", id="slabs_bpl, first slab full"),
        pytest.param(SLABS, "50", "237.10", id="slabs_bpl, second slab"),
    ],
)
def test_a_published_bill_comes_out_exactly(desk: TariffDesk, charges: str, kwh: str, total: str) -> None:
    bill = desk.rated(desk.tariff(charges), "--quantity", kwh)
    assert bill["total"] == total
    assert bill["rounded"] == total
    assert sum(Decimal(amount) for amount in bill["components"].values()) == Decimal(total)
    assert sum(Decimal(line["amount"]) for line in bill["lines"]) == Decimal(total)


@pytest.mark.parametrize(("kwh", "before", "total"), [("6", "0", "32.658904"), ("0", "222", "2.958904")])
def test_a_prepaid_day_bill_charges_the_day_and_what_was_used(
    desk: TariffDesk, kwh: str, before: str, total: str
) -> None:
    file = desk.tariff(DAY_BILL)
    bill = desk.rated(file, "--quantity", kwh, "--month-to-date", before, "--contracted-kw", "1")
    assert abs(Decimal(bill["total"]) - Decimal(total)) <= Decimal("0.000001")
    assert bill["rounded"] == str(round(Decimal(total), 2))


def test_a_year_of_real_hourly_load_comes_out_within_half_a_cent(desk: TariffDesk) -> None:
    if not YEAR_OF_LOAD.is_dir():
        pytest.skip(f"{YEAR_OF_LOAD} is not here: the year of load is beside the project, not in it")
    case = json.loads((YEAR_OF_LOAD / "tou_case.json").read_text())
    desk.write("year.toml", time_of_use_file(case))
    write_year(desk.folder / "year.csv", (YEAR_OF_LOAD / "load_kwh_hourly.csv").read_text().split())
    bill = desk.rated("year.toml", "--usage", "year.csv")
    assert abs(Decimal(bill["total"]) - Decimal("771.776")) <= Decimal("0.005")
    assert abs(Decimal(bill["rounded"]) - Decimal(str(case["expected_annual_bill"]))) <= Decimal(
        str(case["tolerance"])
    )


def test_a_top_up_is_rounded_half_away_from_zero() -> None:
    assert rounded_to_minor_unit(Decimal("17.9699999999999988631316")) == Decimal("17.97")
    assert rounded_to_minor_unit(Decimal("-0.005")) == Decimal("-0.01")


def test_a_total_is_rounded_in_the_currencys_own_minor_unit(desk: TariffDesk) -> None:
    text = (desk.folder / desk.tariff(SLABS)).read_text()
    for currency, shown in {"CNY": "2.29", "JPY": "2", "KWD": "2.285"}.items():
        desk.write("home.toml", text.replace("CNY", currency))
        assert desk.rated("home.toml", "--quantity", "0.5")["rounded"] == shown


def test_no_case_of_the_shared_file_is_left_out() -> None:
    if not CASES_FILE.exists():
        pytest.skip(f"{CASES_FILE} is not here: the shared cases are beside the project, not in it")
    names = {case["name"] for case in json.loads(CASES_FILE.read_text())["cases"]}
    restated = {"china_annual_step", "graduated_with_flat_fees", "volume", "slabs_bpl", "prepaid_day_bill"}
    assert names == restated | {"time_of_use_year", "rounding"}


def time_of_use_file(case: dict[str, Any]) -> str:
    """Write the case's hours by month and day as seasons of one month each; the zone has no daylight saving."""
    text = 'code = "year"\ncurrency = "USD"\ntime_zone = "Etc/GMT+7"\nbilling_period = "month"\n'
    text += 'prices = "tax-exclusive"\ntax_point = "supply"\n[time_of_use]\n'
    for month, last in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1):
        text += f'[[time_of_use.seasons]]\nname = "m{month}"\nfrom = "{month:02}-01"\nto = "{month:02}-{last}"\n'
    for days, months in (
        ("weekday", case["weekday_period_by_month_and_hour"]),
        ("weekend", case["weekend_period_by_month_and_hour"]),
    ):
        for month, hours in enumerate(months, 1):
            for period in sorted(set(hours)):
                times = [f"{hour:02}:00-{hour + 1:02}:00" for hour, held in enumerate(hours) if held == period]
                text += f'[[time_of_use.hours]]\nperiod = "p{period}"\nseasons = ["m{month}"]\n'
                text += f'days = ["{days}"]\ntimes = {json.dumps(times)}\n'
    prices = ", ".join(f'p{name} = "{price}"' for name, price in case["prices_per_kwh"].items())
    return text + f'[[charges]]\ncomponent = "energy"\nkind = "time-of-use"\nprices = {{ {prices} }}\n'


def write_year(file: Path, hourly_kwh: list[str]) -> None:
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["start", "end", "kwh"])
        for start, kwh in zip(_hours(), hourly_kwh, strict=False):
            writer.writerow([start.isoformat(), (start + timedelta(hours=1)).isoformat(), kwh])


def _hours() -> Iterator[datetime]:
    start = datetime(2018, 1, 1, 7, tzinfo=UTC)
    while True:
        yield start
        start += timedelta(hours=1)
