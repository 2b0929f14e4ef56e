"""An interval file on its way through Kafka, Faust and the ledger, compared with a plain sum over its own lines."""

import csv
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import psycopg
import pytest

from ledger.store.log import head_of
from projections.queries import trial_balance_at
from tests.acceptance.office import OWN_FILE, PRICE, TAX_PERCENT, Office, add_supply

REAL_FILES = Path(__file__).parents[2].parent / "shared" / "data" / "nem12"
WH_PER_UNIT = {"wh": 1, "kwh": 1000}


def plain_sum_wh(file: Path) -> dict[str, dict[str, Fraction]]:
    """Sum the E channels' intervals of each NMI and month, from the lines themselves."""
    sums: dict[str, dict[str, Fraction]] = {}
    nmi, suffix, unit, count = "", "", "", 0
    for row in csv.reader(file.read_text().splitlines()):
        if row and row[0] == "200":
            nmi, suffix, unit, count = row[1], row[4], row[7].lower(), 1440 // int(row[8])
        elif row and row[0] == "300" and suffix.startswith("E"):
            month = row[1][:6]
            values = sum(Fraction(value) for value in row[2 : 2 + count])
            sums.setdefault(nmi, {}).setdefault(month, Fraction(0))
            sums[nmi][month] += values * WH_PER_UNIT[unit]
    return sums


def half_away(amount: Fraction) -> int:
    sign = -1 if amount < 0 else 1
    return sign * int(abs(amount) + Fraction(1, 2))


def expected_micros(months_wh: dict[str, Fraction]) -> int:
    """Each component is rounded once per billing period, however many intervals it came in."""
    total = 0
    for wh in months_wh.values():
        energy = wh / 1000 * Fraction(PRICE) * 1_000_000
        total += half_away(energy) + half_away(energy * Fraction(TAX_PERCENT) / 100)
    return total


def billed_micros(office: Office, nmi: str) -> int:
    with psycopg.connect(office.database.url()) as connection:
        row = connection.execute(
            "SELECT coalesce(sum(amount), 0) FROM projections.journal"
            " WHERE code = 'liabilities:prepayment' AND account = %s",
            (f"account-{nmi}",),
        ).fetchone()
        assert row is not None
        balance = trial_balance_at(connection, position=head_of(connection)[0])
    assert balance.total == 0
    return int(Decimal(row[0]) * 1_000_000)


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_an_interval_file_bills_once_to_the_sum_of_its_import_channels(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(OWN_FILE)
    add_supply(office, "OURNMI0001")

    first = office.wattledger("import", "nem12", str(file), "--map", "OURNMI0001=supply-OURNMI0001")
    again = office.wattledger("import", "nem12", str(file), "--map", "OURNMI0001=supply-OURNMI0001")

    sums = plain_sum_wh(file)
    assert sums == {"OURNMI0001": {"202512": Fraction(84_000), "202601": Fraction(84_000)}}
    assert billed_micros(office, "OURNMI0001") == expected_micros(sums["OURNMI0001"]) == 57_380_400
    assert "96 intervals taken in" in first
    assert "billed 96 (168.000000 kWh), held 0, superseded 0" in first
    assert "ignored OURNMI0001 B1" in first
    assert "nothing changed" in again
    assert "billed 96 (168.000000 kWh), held 0, superseded 0" in again


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_real_interval_files_bill_to_the_plain_sum_of_their_lines(office: Office) -> None:
    if not REAL_FILES.is_dir():
        pytest.skip(f"{REAL_FILES} is not here: the real files are beside the project, not in it")
    for file in sorted(REAL_FILES.glob("*.csv")):
        for nmi, months_wh in plain_sum_wh(file).items():
            add_supply(office, nmi)
            told = office.wattledger("import", "nem12", str(file), "--map", f"{nmi}=supply-{nmi}")
            assert "held 0, superseded 0" in told
            assert billed_micros(office, nmi) == expected_micros(months_wh), file.name


@pytest.mark.kafka
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("break_it", "line"),
    [
        (lambda text: text.replace("1.5,1.5", "1.5,x", 1), "line 3"),
        (lambda text: text.replace(",1.5", "", 1), "line 3"),
        (lambda text: text.replace("900\n", ""), "900"),
    ],
    ids=["not a number", "a missing interval", "no end record"],
)
def test_a_malformed_interval_file_is_refused_whole(
    office: Office, tmp_path: Path, break_it: Callable[[str], str], line: str
) -> None:
    file = tmp_path / "broken.csv"
    file.write_text(break_it(OWN_FILE))
    add_supply(office, "OURNMI0001")

    told = office.wattledger("import", "nem12", str(file), "--map", "OURNMI0001=supply-OURNMI0001")

    assert line in told
    assert "Traceback" not in told
    assert billed_micros(office, "OURNMI0001") == 0


@pytest.mark.kafka
@pytest.mark.timeout(240)
def test_a_csv_file_of_intervals_bills_once_to_the_sum_of_its_lines(office: Office, tmp_path: Path) -> None:
    lines = ["meter,start,end,kwh,quality"]
    lines += [
        f"shop,2025-12-{day:02}T{hour:02}:00:00+10:00,2025-12-{day:02}T{hour:02}:30:00+10:00,0.{hour + 1:02},measured"
        for day in (30, 31)
        for hour in range(24)
    ]
    file = tmp_path / "intervals.csv"
    file.write_text("\n".join(lines))
    add_supply(office, "shop")

    first = office.wattledger("import", "csv", str(file), "--map", "shop=supply-shop")
    again = office.wattledger("import", "csv", str(file), "--map", "shop=supply-shop")

    wh = Fraction(sum(10 * (hour + 1) for hour in range(24)) * 2)
    assert billed_micros(office, "shop") == expected_micros({"202512": wh})
    assert "billed 48 (6.000000 kWh), held 0, superseded 0" in first
    assert "nothing changed" in again
