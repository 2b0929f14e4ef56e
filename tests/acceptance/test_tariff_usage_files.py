"""Usage as CSV: what is taken, and every mistake of a file told at once."""

from pathlib import Path

import pytest

from tests.acceptance.tariff_desk import TariffDesk

FLAT = """
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.5"
"""


@pytest.fixture
def desk(tmp_path: Path) -> TariffDesk:
    desk = TariffDesk(tmp_path)
    desk.tariff(FLAT)
    return desk


def test_every_error_of_a_usage_file_is_told_with_its_line(desk: TariffDesk) -> None:
    desk.write(
        "wrong.csv",
        "start,end,kwh,period\n"
        "2026-01-01T00:00:00,2026-01-01T01:00:00+08:00,1,\n"
        "2026-01-01T01:00:00+08:00,2026-01-01T01:00:00+08:00,1,\n"
        "2026-01-01T02:00:00+08:00,2026-01-01T03:00:00+08:00,much,\n"
        "2026-01-01T03:00:00+08:00,2026-01-01T04:00:00+08:00,-1,\n"
        "2026-01-01T04:00:00+08:00,2026-01-01T05:00:00+08:00,1,night\n"
        "2026-01-01T05:00:00+08:00,2026-01-01T06:00:00+08:00,1.0000000000000000000000000000001,\n"
        "2026-01-01T06:00:00+08:00,2026-01-01T07:00:00+08:00\n"
        "2026-01-01T07:00:00+08:00,2026-01-01T09:00:00+08:00,1,\n"
        "2026-01-01T08:00:00+08:00,2026-01-01T10:00:00+08:00,1,\n",
    )
    told = desk.refused("rate", "home.toml", "--usage", "wrong.csv")
    for line, words in {
        2: "has no zone",
        3: "is not after start",
        4: "'much' is no quantity",
        5: "'-1' is no quantity",
        6: "period 'night' is not one of the tariff's",
        7: "more than 6 places",
        8: "2 columns where the header has 4",
        10: "overlaps line 9",
    }.items():
        assert [row for row in told.splitlines() if f"line {line}:" in row and words in row], (line, told)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("start,kwh\n", "column 'end' is missing"),
        ("start,end,kwh,colour\n", "column 'colour' is not known"),
        ("start,end,kwh,kwh\n", "is there twice"),
        ("start,end,kwh\n", "there is no usage"),
        ("", "column 'start' is missing"),
    ],
)
def test_a_wrong_header_is_told(desk: TariffDesk, text: str, words: str) -> None:
    desk.write("wrong.csv", text)
    assert words in desk.refused("rate", "home.toml", "--usage", "wrong.csv")


def test_rows_may_come_in_any_order_with_a_mark_and_empty_lines(desk: TariffDesk) -> None:
    desk.write(
        "november.csv",
        "\ufeffstart,end,kwh\r\n"
        "2026-11-02T00:00:00+08:00,2026-11-03T00:00:00+08:00,3\r\n"
        "\r\n"
        "2026-11-01T00:00:00+08:00,2026-11-02T00:00:00+08:00,4\r\n",
    )
    assert desk.rated("home.toml", "--usage", "november.csv")["total"] == "3.50"


def test_a_file_or_a_quantity_but_not_both(desk: TariffDesk) -> None:
    assert "either --usage" in desk.refused("rate", "home.toml")
    assert "either --usage" in desk.refused("rate", "home.toml", "--usage", "x.csv", "--quantity", "1")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quantity", "lots"), "'lots' is not a number"),
        (("--quantity", "-1"), "--quantity is '-1'"),
        (("--quantity", "1", "--month-to-date", "-1"), "--month-to-date is '-1'"),
        (("--usage", "home.toml", "--days", "3"), "--days is for --quantity"),
        (("--quantity", "1", "--at", "2026-11-01T00:00"), "has no zone"),
        (("--quantity", "1", "--contracted-kw", "-3"), "--contracted-kw is '-3'"),
        (("--usage", "nowhere.csv"), "nowhere.csv cannot be read"),
        (("--quantity", "1", "--class", "nobility"), "nobility"),
    ],
)
def test_a_wrong_option_is_told_with_its_value(desk: TariffDesk, arguments: tuple[str, ...], words: str) -> None:
    assert words in desk.refused("rate", "home.toml", *arguments)
