"""Energy, money and instants are exact, and refuse what they would have to round."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from math import floor
from uuid import uuid5 as standard_uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.values.energy import kwh_from_milliwh, milliwh_from_kwh, milliwh_from_text
from ledger.values.errors import InvalidValue
from ledger.values.identity import NAMESPACE, reading_id
from ledger.values.instants import in_utc, parse_instant
from ledger.values.money import (
    decimal_from_micros,
    divided_half_away,
    micros_from_decimal,
    micros_from_text,
    rounded_to_minor_unit,
    text_from_micros,
)

# More digits than any context that rounds would keep.
MANY_DIGITS = "1." + "0" * 200 + "1"

whole = st.integers(min_value=-(10**35), max_value=10**35)


@given(whole)
def test_energy_survives_the_way_to_kilowatt_hours_and_back(energy_milliwh: int) -> None:
    assert milliwh_from_kwh(kwh_from_milliwh(energy_milliwh)) == energy_milliwh


@given(whole)
def test_money_survives_the_way_to_decimals_and_back(micros: int) -> None:
    assert micros_from_decimal(decimal_from_micros(micros)) == micros


@pytest.mark.parametrize("text", ["0.0000001", "12.3456789", "1000000000000000000000.0000001", "1e-200", MANY_DIGITS])
def test_energy_finer_than_a_milliwatt_hour_is_refused_not_rounded(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"finer than 0\.000001 kWh"):
        milliwh_from_kwh(Decimal(text))


@pytest.mark.parametrize("text", ["0.0000001", "1000000000000000000000.0000001", MANY_DIGITS])
def test_money_finer_than_a_micro_unit_is_refused_not_rounded(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"finer than 0\.000001"):
        micros_from_decimal(Decimal(text))


@pytest.mark.parametrize("text", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_neither_energy_nor_money(text: str) -> None:
    with pytest.raises(InvalidValue, match="not a finite number"):
        milliwh_from_kwh(Decimal(text))
    with pytest.raises(InvalidValue, match="not a finite number"):
        micros_from_decimal(Decimal(text))


@pytest.mark.parametrize("convert", [milliwh_from_kwh, micros_from_decimal])
def test_a_number_of_a_million_digits_is_refused_before_it_is_written_out(convert: object) -> None:
    assert callable(convert)
    with pytest.raises(InvalidValue, match="check its unit"):
        convert(Decimal("1e900000"))


@pytest.mark.parametrize(
    "text", ["1_000", "١٢", " 5", "5 ", "5\n", "1e3", "+5", ".5", "5.", "0x1", "", "-", "NaN", "五"]
)
def test_a_number_is_read_only_as_plain_digits(text: str) -> None:
    for convert in (micros_from_text, milliwh_from_text):
        with pytest.raises(InvalidValue, match="is not a number; write it in digits") as caught:
            convert(text)
        assert repr(text) in str(caught.value)


@pytest.mark.parametrize(("text", "micros"), [("25", 25_000_000), ("-0.000001", -1), ("007.50", 7_500_000)])
def test_plain_digits_are_money_and_energy(text: str, micros: int) -> None:
    assert micros_from_text(text) == milliwh_from_text(text) == micros


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (25_000_000, "25.00"),
        (-5_000_000, "-5.00"),
        (1, "0.000001"),
        (1_500_000, "1.50"),
        (0, "0.00"),
        (-1, "-0.000001"),
    ],
)
def test_money_is_written_with_as_many_places_as_it_needs(micros: int, text: str) -> None:
    assert text_from_micros(micros) == text


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_division_rounds_to_the_nearest_and_halves_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    away = floor(abs(exact) + Fraction(1, 2))
    assert divided_half_away(numerator, denominator) == (away if exact >= 0 else -away)


def test_halves_go_away_from_zero_on_both_sides() -> None:
    assert [divided_half_away(n, 2) for n in (-3, -1, 1, 3)] == [-2, -1, 1, 2]


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        ("17.9699999999999988631316", "17.97"),
        ("0.005", "0.01"),
        ("-0.005", "-0.01"),
        ("2.675", "2.68"),
        ("2.6749999999999999999999999999", "2.67"),
        ("1234567890123456789012345678.905", "1234567890123456789012345678.91"),
    ],
)
def test_a_statement_shows_cents_rounded_half_away_from_zero(exact: str, shown: str) -> None:
    assert str(rounded_to_minor_unit(Decimal(exact))) == shown


def test_a_statement_in_yen_shows_no_cents() -> None:
    assert rounded_to_minor_unit(Decimal("100.5"), minor_digits=0) == Decimal(101)


def test_an_instant_is_told_in_utc_whatever_zone_it_came_in() -> None:
    assert parse_instant("2026-11-22T18:00:00+08:00") == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert parse_instant("2026-11-22T18:00:00+08:00").tzinfo is UTC


@pytest.mark.parametrize(("text", "complaint"), [("2026-11-22T18:00:00", "no zone"), ("yesterday", "ISO 8601")])
def test_a_time_that_names_no_instant_is_refused_with_its_text(text: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint) as caught:
        parse_instant(text)
    assert text in str(caught.value)


def test_a_time_whose_zone_leads_out_of_the_calendar_is_refused() -> None:
    with pytest.raises(InvalidValue, match="beyond the calendar"):
        in_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=8))))


@given(meter=st.text(max_size=30), since_epoch_s=st.integers(0, 32_503_679_999), us=st.integers(0, 999_999))
def test_a_readings_identity_is_the_uuid_of_its_name_as_the_standard_makes_it(
    meter: str, since_epoch_s: int, us: int
) -> None:
    read_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=since_epoch_s, microseconds=us)
    there = read_at.astimezone(timezone(timedelta(hours=8)))
    expected = standard_uuid5(NAMESPACE, f"reading|{meter}|import|{read_at.isoformat()}")
    assert reading_id(meter=meter, registers="import", read_at=there) == expected
