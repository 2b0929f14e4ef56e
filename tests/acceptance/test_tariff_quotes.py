"""What money buys: rating the quoted energy costs what the quote says, and one watt-hour more costs too much."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.tariff_desk import TariffDesk
from tests.acceptance.tariff_page import PAGE, toml_files

AT = ("--at", "2026-11-20T12:00:00+08:00")
FILES = toml_files(PAGE.read_text(encoding="utf-8"))


@pytest.fixture
def desk(tmp_path: Path) -> TariffDesk:
    desk = TariffDesk(tmp_path)
    for name, text in FILES.items():
        desk.write(name, text)
    return desk


@pytest.mark.parametrize(
    ("tariff", "amount", "used"),
    [
        ("home.toml", "50.00", ()),
        ("steps.toml", "200", ("--year-to-date", "255.5")),
        ("lifeline.toml", "1000", ("--month-to-date", "299.999")),
        ("graduated.toml", "104.999999", ()),
        ("crossed.toml", "33.33", ("--month-to-date", "210")),
        ("levies.toml", "0.01", ()),
        ("basic.toml", "12.34", ("--month-to-date", "20")),
        ("taxes.toml", "7.77", ()),
        ("inclusive.toml", "20", ()),
        ("volume.toml", "150", ()),
    ],
)
def test_an_amount_buys_the_most_that_it_pays_for(
    desk: TariffDesk, tariff: str, amount: str, used: tuple[str, ...]
) -> None:
    quoted = desk.quoted(tariff, "--amount", amount, *used, *AT)
    energy = Decimal(quoted["energy_kwh"])

    cost, more = (
        Decimal(desk.rated(tariff, "--quantity", str(kwh), "--days", "0", *used, *AT)["total"])
        for kwh in (energy, energy + Decimal("0.001"))
    )

    assert cost == Decimal(quoted["cost"]) == Decimal(amount) - Decimal(quoted["change"])
    assert cost <= Decimal(amount) < more
    assert sum(Decimal(line["amount"]) for line in quoted["lines"]) == cost


def test_an_account_class_buys_more_for_less(desk: TariffDesk) -> None:
    assert desk.quoted("classes.toml", "--amount", "40")["energy_kwh"] == "80.000"
    assert desk.quoted("classes.toml", "--amount", "40", "--class", "school")["energy_kwh"] == "100.000"


@pytest.mark.parametrize(
    ("amount", "words"), [("much", "'much' is not a number"), ("-1", "-1"), ("0.0000001", "finer")]
)
def test_a_wrong_amount_is_told(desk: TariffDesk, amount: str, words: str) -> None:
    assert words in desk.refused("quote", "home.toml", "--amount", amount)
