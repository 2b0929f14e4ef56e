"""NEM12 files: the energy of a plain sum, every doubt named by its line, the whole file or nothing."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from collectors.errors import BadFile
from collectors.nem12 import import_sweeps, parse_nem12
from ledger import wire

_REAL_FILES = Path(__file__).parents[3] / "shared" / "data" / "nem12"
_HALF_HOURS = 48


def _day(date: str, value: str = "0.5", quality: str = "A", *, count: int = _HALF_HOURS) -> str:
    return f"300,{date}," + ",".join([value] * count) + f",{quality},,,20260102030405,"


def _channel(suffix: str, *, nmi: str = "NMI0000001", unit: str = "kWh", minutes: int = 30) -> str:
    return f"200,{nmi},E1B1,1,{suffix},N1,METER1,{unit},{minutes},"


def _file(directory: Path, *records: str, header: str = "100,NEM12,202601020304,MDA1,Ret1", end: str = "900") -> Path:
    path = directory / "intervals.csv"
    path.write_text("\r\n".join([header, *records, end]), newline="")
    return path


def _refused(path: Path) -> str:
    with pytest.raises(BadFile) as refused:
        parse_nem12(path)
    assert str(path) in str(refused.value)
    return str(refused.value)


def test_market_time_is_ten_hours_ahead_of_utc_the_whole_year(tmp_path: Path) -> None:
    for date, first in (
        ("20260101", datetime(2025, 12, 31, 14, 0, tzinfo=UTC)),  # summer: clocks in Sydney are an hour ahead of it
        ("20260701", datetime(2026, 6, 30, 14, 0, tzinfo=UTC)),
    ):
        readings = parse_nem12(_file(tmp_path, _channel("E1"), _day(date))).readings["NMI0000001"]
        assert readings[0].start == first
        assert len(readings) == _HALF_HOURS
        assert all(before.end == after.start for before, after in pairwise(readings))


@pytest.mark.parametrize(
    ("unit", "value", "milliwh"),
    [("kWh", "1.234567", 1_234_567), ("Wh", "0.001", 1), ("MWh", "0.000000001", 1), ("KWH", "0.1", 100_000)],
)
def test_energy_is_exact_in_every_unit(tmp_path: Path, unit: str, value: str, milliwh: int) -> None:
    file = parse_nem12(_file(tmp_path, _channel("E1", unit=unit), _day("20260101", value)))
    assert {reading.import_milliwh for reading in file.readings["NMI0000001"]} == {milliwh}


def test_import_channels_are_summed_and_the_others_reported(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        _channel("E1"),
        _day("20260101", "0.5"),
        _channel("E2", unit="Wh"),
        _day("20260101", "250"),
        _channel("B1"),
        _day("20260101", "9"),
        _channel("Q1", unit="kVArh"),
        _day("20260101", "7"),
    )
    file = parse_nem12(path, meters={"NMI0000001": "4711"})
    first = file.readings["NMI0000001"][0]
    assert (first.meter, first.import_milliwh) == ("4711", 750_000)
    assert first.raw == "E1 0.5 kWh A + E2 250.0 Wh A"
    assert [(ignored.suffix, ignored.unit, ignored.intervals) for ignored in file.ignored] == [
        ("B1", "kWh", _HALF_HOURS),
        ("Q1", "kVArh", _HALF_HOURS),
    ]


def test_an_nmi_without_import_energy_has_no_readings(tmp_path: Path) -> None:
    file = parse_nem12(_file(tmp_path, _channel("B1"), _day("20260101")))
    assert file.nmis == ()
    assert len(file.ignored) == 1


def test_event_records_give_each_interval_its_own_quality(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        _channel("E1"),
        _day("20260101", quality="V"),
        "400,1,20,F14,76,",
        "400,21,24,A,,",
        "400,25,47,E52,,",
        "400,48,48,N,,",
    )
    readings = parse_nem12(path).readings["NMI0000001"]
    assert [readings[index].quality for index in (0, 19, 20, 23, 24, 46, 47)] == [
        *("substituted", "substituted", "measured", "measured", "estimated", "estimated", "unknown")
    ]
    assert readings[0].raw == "E1 0.5 kWh F14/76"


def test_a_sum_is_as_good_as_its_worst_part(tmp_path: Path) -> None:
    path = _file(
        tmp_path, _channel("E1"), _day("20260101", quality="A"), _channel("E2"), _day("20260101", quality="E52")
    )
    assert {reading.quality for reading in parse_nem12(path).readings["NMI0000001"]} == {"estimated"}


@pytest.mark.parametrize(
    ("records", "line", "reason"),
    [
        ([_day("20260101")], 2, "record 300 has no usable 200 before it"),
        (["400,1,2,A,,"], 2, "record 400 has no 300 before it"),
        ([_channel("E1"), _day("20260101", count=47)], 3, "the number of values is wrong"),
        ([_channel("E1"), _day("20260101", count=20)], 3, "record 300 has 27 fields; 30 minute intervals need 54"),
        ([_channel("E1"), _day("20260101", count=49)], 3, "the number of values is wrong"),
        ([_channel("E1"), _day("20260101", "1O")], 3, "value 1 is '1O', not a number"),
        ([_channel("E1"), _day("20260101", "")], 3, "value 1 is '', not a number"),
        ([_channel("E1"), _day("20260101", "NaN")], 3, "value 1 is 'NaN', not a number"),
        ([_channel("E1"), _day("20260101", "-1")], 3, "value 1 is '-1', not a number written as 1 or 1.5"),
        ([_channel("E1"), _day("20260101", "-0")], 3, "value 1 is '-0', not a number"),
        ([_channel("E1"), _day("20260101", "1e20")], 3, "value 1 is '1e20', not a number"),
        ([_channel("E1"), _day("20260101", "1_0")], 3, "value 1 is '1_0', not a number"),
        ([_channel("E1"), _day("20260101", "١")], 3, "value 1 is '١', not a number"),
        ([_channel("E1"), _day("20260101", " 1.5 ")], 3, "value 1 is ' 1.5 ', not a number"),
        ([_channel("E1"), _day("20260101", ".5")], 3, "value 1 is '.5', not a number"),
        ([_channel("E1"), _day("20260101", "9" * 400)], 3, "more than 15 digits cannot be read exactly"),
        ([_channel("E1"), _day("20260101", "9" * 140_000)], 3, "cannot be split into fields"),
        ([_channel("E1"), _day("20260101", "10000000000000")], 3, "more than one reading can carry"),
        ([_channel("E1"), _day("20260101", "0.0000001")], 3, "finer than one milliwatt-hour"),
        ([_channel("E1"), _day("20260101", "12345678.1234567891")], 3, "more than 15 digits"),
        ([_channel("E1"), _day("20260229")], 3, "'20260229' is no date"),
        ([_channel("E1"), _day("2026 1 1")], 3, "'2026 1 1' is no date"),
        ([_channel("E1"), _day("٢٠٢٦٠١٠١")], 3, "is no date; write it as YYYYMMDD"),
        ([_channel("E1"), _day("00010101")], 3, "'00010101' is not between the years 1990 and 2100"),
        ([_channel("E1"), _day("18000101")], 3, "'18000101' is not between the years 1990 and 2100"),
        ([_channel("E1"), _day("99991231")], 3, "'99991231' is not between the years 1990 and 2100"),
        ([_channel("E1", nmi="N" * 250)], 2, "is no NMI; an NMI has 1 to 10 letters and digits"),
        ([_channel("E1", nmi="NM I")], 2, "'NM I' is no NMI"),
        ([_channel("e1")], 2, "'e1' is no suffix; it is a capital letter and a digit or capital letter"),
        ([_channel("E1"), _day("20260101"), _day("20260101")], 4, "has 20260101 already in line 3"),
        ([_channel("E1"), _day("20260101", quality="X")], 3, "'X' after 48 values is no quality"),
        ([_channel("E1"), _day("20260101", quality="A\0")], 3, "holds the character '\\x00'"),
        ([_channel("E1"), _day("20260101", quality="A" * 99)], 3, "is no quality"),
        ([_channel("E1"), _day("20260101").replace(",A,,,", ",A,7777,,")], 3, "'7777' is no reason code"),
        ([_channel("E1"), _day("20260101"), "400,1,2,A,x,"], 4, "'x' is no reason code"),
        ([_channel("E1"), _day("20260101"), "400,١,٢,A,,"], 4, "record 400 needs a first interval"),
        ([_channel("E1"), _day("20260101", '"0.5')], 3, "cannot be split into fields"),
        ([_channel("E1"), _day("20260101"), "500,S"], 4, "record 500 has 2 fields; it needs 5"),
        ([_channel("E1"), _day("20260101", quality="V")], 3, "no 400 record covers 48 of its intervals"),
        ([_channel("E1"), _day("20260101"), "400,40,49,A,,"], 4, "intervals 40 to 49 are not within 1 to 48"),
        ([_channel("E1"), _day("20260101"), "400,1,9,A,,", "400,9,9,A,,"], 5, "overlap an earlier 400"),
        ([_channel("E1").replace(",30,", ",٣٠,")], 2, "interval length '٣٠' is not 5, 15 or 30"),
        ([_channel("E1", minutes=60), _day("20260101", count=24)], 2, "interval length '60' is not 5, 15 or 30"),
        ([_channel("E1", unit="kVArh"), _day("20260101")], 2, "unit 'kVArh' of channel E1 is not kWh, Wh or MWh"),
        ([_channel("E1"), _day("20260101"), "250,x"], 4, "'250' is no record of NEM12"),
        (["900"], 3, "record 900 stands after the end record 900 of line 2"),
    ],
)
def test_a_malformed_file_is_refused_naming_line_and_reason(
    tmp_path: Path, records: list[str], line: int, reason: str
) -> None:
    told = _refused(_file(tmp_path, *records))
    assert any(f"line {line}: " in error and reason in error for error in told.splitlines())


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    assert "the end record 900 is missing" in _refused(_file(tmp_path, _channel("E1"), _day("20260101"), end=""))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    assert "line 1: is no NEM12 header" in _refused(_file(tmp_path, header="100,NEM13,202601020304,MDA1,Ret1"))
    assert "line 1: is no NEM12 header" in _refused(_file(tmp_path, header="date,kWh"))


def test_a_header_that_names_nobody_is_refused(tmp_path: Path) -> None:
    assert "line 1: record 100 has 2 fields; it needs 5" in _refused(_file(tmp_path, header="100,NEM12"))


def test_a_sum_of_channels_beyond_what_a_reading_carries_is_refused(tmp_path: Path) -> None:
    day = _day("20260101", "9000000000000")  # kWh; a reading carries 9.22 × 10¹² of them
    told = _refused(_file(tmp_path, _channel("E1"), day, _channel("E2"), day))
    assert "NMI0000001 has 18000000000000000000 mWh from 2026-01-01 00:00:00" in told
    assert "more than one reading can carry" in told


def test_what_is_accepted_can_be_read_from_the_wire(tmp_path: Path) -> None:
    for year in (1990, 2100):
        path = _file(tmp_path, _channel("E1", nmi="a"), _day(f"{year}0101", "9223372036854", quality="S14"))
        file = parse_nem12(path)
        for sweep in import_sweeps(file, concentrators=dict.fromkeys(file.nmis, "imports")):
            assert wire.decode_meter_message(wire.encode(sweep)) == sweep


def test_all_errors_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    told = _refused(_file(tmp_path, _channel("E1"), _day("2026"), _day("20260102", "x")))
    assert "line 3: '2026' is no date" in told
    assert told.count("line 4:") == _HALF_HOURS


def test_a_day_that_one_import_channel_lacks_is_refused_rather_than_billed_in_part(tmp_path: Path) -> None:
    path = _file(tmp_path, _channel("E1"), _day("20260101"), _day("20260102"), _channel("E2"), _day("20260101"))
    assert "NMI0000001 E2 lacks the interval from 2026-01-02 00:00:00" in _refused(path)


def _three_days(directory: Path) -> Path:
    days = [_day(f"2026010{day}") for day in (1, 2, 3)]
    return _file(directory, _channel("E1"), *days, _channel("E1", nmi="NMI0000002"), *days)


def test_a_file_becomes_sweeps_of_at_most_96_intervals_in_sequence_per_concentrator(tmp_path: Path) -> None:
    file = parse_nem12(_three_days(tmp_path))
    sweeps = import_sweeps(file, concentrators={"NMI0000001": "imports", "NMI0000002": "imports"})
    assert [(s.concentrator, s.sequence, len(s.readings)) for s in sweeps] == [
        ("imports", 1, 96),
        ("imports", 2, 48),
        ("imports", 3, 96),
        ("imports", 4, 48),
    ]
    apart = import_sweeps(file, concentrators={"NMI0000001": "C1", "NMI0000002": "C2"})
    assert [(s.concentrator, s.sequence) for s in apart] == [("C1", 1), ("C1", 2), ("C2", 1), ("C2", 2)]
    assert all(wire.decode_meter_message(wire.encode(sweep)) == sweep for sweep in sweeps)


def test_the_same_import_has_the_same_name_and_another_selection_another(tmp_path: Path) -> None:
    file = parse_nem12(_three_days(tmp_path))
    both = {"NMI0000001": "imports", "NMI0000002": "imports"}
    assert import_sweeps(file, concentrators=both) == import_sweeps(file, concentrators=both)
    only_second = import_sweeps(file, concentrators={"NMI0000002": "imports"})
    assert only_second[0].collector != import_sweeps(file, concentrators=both)[0].collector
    assert only_second[0].collector.startswith("nem12.")


@pytest.mark.skipif(not _REAL_FILES.exists(), reason=f"{_REAL_FILES} is not there")
@pytest.mark.parametrize(
    ("name", "nmi", "intervals"),
    [
        ("Example_NEM12_actual_interval.csv", "VABD000163", 48),
        ("Example_NEM12_multiple_meters.csv", "NCDE001111", 192),
        ("Example_NEM12_multiple_quality.csv", "CCCC123456", 48),
        ("Example_NEM12_substituted_interval.csv", "VBCD000022", 48),
    ],
)
def test_a_real_file_has_the_energy_of_a_plain_sum_over_its_import_intervals(
    name: str, nmi: str, intervals: int
) -> None:
    readings = parse_nem12(_REAL_FILES / name).readings[nmi]
    assert len(readings) == intervals
    assert sum(reading.import_milliwh for reading in readings) == _plain_sum_milliwh(_REAL_FILES / name)


def _plain_sum_milliwh(path: Path) -> Decimal:
    total, milliwh_per_unit, count = Decimal(0), 0, 0
    for row in csv.reader(path.read_text().splitlines()):
        if row[0] == "200":
            milliwh_per_unit = {"kWh": 1_000_000, "Wh": 1_000}.get(row[7], 0) if row[4][0] == "E" else 0
            count = 1440 // int(row[8])
        if row[0] == "300":
            total += sum(map(Decimal, row[2 : 2 + count])) * milliwh_per_unit
    return total
