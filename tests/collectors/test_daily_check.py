"""What a meter tells of itself once a day: its serial, its own credit, its clock; none of it costs a reading."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import files

import msgspec
import pytest

from collectors.daily_check import DailyCheck, decimal_text, same_serial
from collectors.lines import tcp
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.profile import Profile
from collectors.profile_file import parse_profile
from collectors.profile_library import load_profile
from collectors.site import Concentrator, Meter
from collectors.sweep import Sweeper
from ledger.wire import RegisterReading
from tests.collectors.builders import NOON, answer_to, serial_of, stub_concentrator

_SDM320Y = files("collectors").joinpath("profiles", "eastron_sdm320y.toml").read_text(encoding="utf-8")


@dataclass
class Meters:
    """A meter's words by address; what is not there answers exception 2, what is `silent` nothing at all."""

    words: dict[int, int]
    silent: set[int] = field(default_factory=set)
    asked: list[int] = field(default_factory=list)

    async def answer(self, request: bytes) -> bytes | None:
        address, count = int.from_bytes(request[8:10], "big"), int.from_bytes(request[10:12], "big")
        self.asked.append(address)
        wanted = range(address, address + count)
        if self.silent.intersection(wanted):
            return None
        if not all(word in self.words for word in wanted):
            return answer_to(request, f"{request[7] | 0x80:02x} 02")
        data = "".join(f"{self.words[word]:04x}" for word in wanted)
        return answer_to(request, f"{request[7]:02x} {2 * count:02x} {data}")


def _acrel(serial: str = serial_of(1)) -> dict[int, int]:
    words = dict.fromkeys((*range(10), *range(0x46, 0x51)), 0)
    words[1], words[0x4E], words[0x50] = 100, 3, 5000
    return words | {0x43 + at: int(serial[4 * at : 4 * at + 4], 16) for at in range(3)}


async def _sweeps(
    meters: Meters, times: list[datetime], *, profile: Profile | None = None
) -> tuple[list[RegisterReading], CollectorMetrics]:
    metrics, clock = CollectorMetrics(), iter(times)
    now = [NOON]
    async with stub_concentrator(meters.answer) as (port, _):
        bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=1.0)
        meter = Meter(
            serial=serial_of(1),
            unit=1,
            supply="S1",
            profile=profile or load_profile("acrel_ddsy1352"),
            time_of_use=False,
        )
        sweeper = Sweeper(
            concentrator=Concentrator(id="C1", line=tcp(host="127.0.0.1", port=port), meters=(meter,)),
            bus=bus,
            retries=0,
            metrics=metrics,
            now=lambda: now[0],
            daily=DailyCheck(concentrator="C1", metrics=metrics),
        )
        readings = []
        for at in clock:
            now[0] = at
            readings += [reading.register for reading in await sweeper.sweep() if reading.register is not None]
        bus.close()
    return readings, metrics


def _minutes(*minutes: int) -> list[datetime]:
    return [NOON + timedelta(minutes=minute) for minute in minutes]


def _value(metrics: CollectorMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"wattledger_{name}", labels)


def test_a_meter_tells_its_serial_and_its_own_credit_with_the_first_reading_and_then_once_a_day() -> None:
    meters = Meters(_acrel())
    readings, _ = asyncio.run(_sweeps(meters, _minutes(0, 1, 2, 1439, 1440, 1441)))
    assert [reading.serial for reading in readings] == [serial_of(1), None, None, None, serial_of(1), None]
    credit = {"alarm_level_1": "0", "alarm_level_2": "0", "overdraft": "0", "purchases": "3", "remaining": "5000"}
    assert [reading.meter_credit for reading in readings] == [credit, None, None, None, credit, None]
    assert {reading.import_milliwh for reading in readings} == {1_000_000}


def test_another_meter_s_serial_is_told_with_every_reading_until_it_is_the_right_one_again() -> None:
    async def scene() -> None:
        meters = Meters(_acrel("400000000099"))
        readings, metrics = await _sweeps(meters, _minutes(0, 1, 2))
        assert [reading.serial for reading in readings] == ["400000000099"] * 3
        assert {reading.meter for reading in readings} == {serial_of(1)}
        assert _value(metrics, "serial_mismatches_total", concentrator="C1") == 3
        assert meters.asked.count(0x46) == 1  # its credit only once

    asyncio.run(scene())


def test_the_right_meter_put_back_is_asked_no_more_than_others() -> None:
    meters = Meters(_acrel("400000000099"))
    answer, right = meters.answer, _acrel()

    async def corrected(request: bytes) -> bytes | None:
        if meters.asked.count(0x43) == 2:
            meters.words = right
        return await answer(request)

    meters.answer = corrected  # type: ignore[method-assign]
    readings, _ = asyncio.run(_sweeps(meters, _minutes(0, 1, 2, 3, 4)))
    assert [reading.serial for reading in readings] == ["400000000099"] * 2 + [serial_of(1), None, None]


def test_a_meter_that_is_silent_to_all_of_the_check_is_asked_once_an_hour() -> None:
    meters = Meters(_acrel(), silent={0x43, 0x46, 0x4E, 0x4F})
    readings, _ = asyncio.run(_sweeps(meters, _minutes(0, 1, 30, 59, 60, 61)))
    assert len(readings) == 6
    assert (meters.asked.count(0x43), meters.asked.count(0x46)) == (2, 2)


def test_a_meter_that_meets_the_check_with_silence_is_read_all_the_same_and_asked_again_in_an_hour() -> None:
    meters = Meters(_acrel(), silent={0x43})
    readings, metrics = asyncio.run(_sweeps(meters, _minutes(0, 1, 30, 59, 60, 61)))
    assert [reading.serial for reading in readings] == [None] * 6
    assert meters.asked.count(0x43) == 2
    assert _value(metrics, "read_failures_total", concentrator="C1", reason="daily-check") == 2


def test_a_meter_without_a_prepayment_block_is_asked_for_it_no_more() -> None:
    words = {address: word for address, word in _acrel().items() if not 0x46 <= address <= 0x50}
    meters = Meters(words)
    readings, _ = asyncio.run(_sweeps(meters, [NOON, NOON + timedelta(days=1), NOON + timedelta(days=2)]))
    assert [reading.meter_credit for reading in readings] == [None] * 3
    assert [reading.serial for reading in readings] == [serial_of(1)] * 3
    first = meters.asked.index(0x43, meters.asked.index(0x43) + 1)
    assert not any(0x46 <= address <= 0x50 for address in meters.asked[first:])


def test_a_serial_that_is_no_number_is_not_compared() -> None:
    words = _acrel() | {0x43: 0xFFFF}
    readings, metrics = asyncio.run(_sweeps(Meters(words), _minutes(0, 1)))
    assert [reading.serial for reading in readings] == [None, None]
    assert not _value(metrics, "serial_mismatches_total", concentrator="C1")


def test_a_clock_set_back_does_not_put_the_check_off() -> None:
    readings, _ = asyncio.run(_sweeps(Meters(_acrel()), [NOON, NOON - timedelta(days=30), NOON - timedelta(days=30)]))
    assert [reading.serial is not None for reading in readings] == [True, True, False]


def test_a_log_of_recharges_is_told_as_raw_words_and_the_unconfirmed_serial_not_at_all() -> None:
    total = {0x48: 0x42F6, 0x49: 0x0000, 0x4A: 0, 0x4B: 0}
    records = {0x500 + at: 0x1111 if at < 10 else 0x2222 for at in range(20)} | {
        0x500 + at: 0 for at in range(20, 500)
    }
    rest = {0xFC00: 1, 0xFC01: 2} | {address + at: 0 for address in (0xFC04, 0xFC16, 0xFC1A) for at in (0, 1)}
    meters = Meters(total | records | rest)
    (reading,), _ = asyncio.run(_sweeps(meters, [NOON], profile=parse_profile(path="p", text=_SDM320Y)))
    assert reading.import_milliwh == 123_000_000
    assert reading.serial is None
    assert reading.meter_credit == {
        "unit_price": "0",
        "alarm_level": "0",
        "emergency_amount": "0",
        "recharges": "1111" * 10 + " " + "2222" * 10,
    }
    assert 0xFC00 not in meters.asked


_CLOCKED = """
name = "clocked"
model = "a meter with a clock, ratios, and energies beside the active one"
source = "made up for a test of what profiles can say"
[modbus]
read_function = 3
words_per_read = 32
[energy.total]
address = 0
kind = "u32"
unit = "kWh"
scale = "0.01"
multiplied_by = ["ct", "pt"]
confidence = "OURS"
[reactive]
address = 2
kind = "u32"
unit = "kvarh"
scale = "0.01"
confidence = "OURS"
[apparent]
address = 4
kind = "u32"
unit = "kVAh"
scale = "0.01"
confidence = "OURS"
[demand]
address = 6
kind = "u16"
unit = "kW"
scale = "0.001"
confidence = "OURS"
[multiplier.ct]
address = 7
kind = "u16"
confidence = "OURS"
[multiplier.pt]
address = 8
kind = "u16"
scale = "0.1"
confidence = "OURS"
[clock]
address = 9
format = "bcd-ymdhms"
utc_offset_minutes = 480
confidence = "OURS"
"""


def _clocked(**words: int) -> dict[int, int]:
    shown = {0: 0, 1: 3, 2: 0, 3: 7, 4: 0, 5: 9, 6: 2500, 7: 40, 8: 15, 9: 0x2611, 10: 0x2220, 11: 0x0130}
    return shown | {int(key[1:]): word for key, word in words.items()}


def test_reactive_apparent_and_demand_ride_with_the_reading_and_ratios_multiply_it() -> None:
    profile = parse_profile(path="p", text=_CLOCKED)
    (reading,), metrics = asyncio.run(_sweeps(Meters(_clocked()), [NOON], profile=profile))
    assert reading.import_milliwh == 3 * 10_000 * 40 * 15 // 10
    assert (reading.reactive_millivarh, reading.apparent_millivah, reading.demand_w) == (70_000, 90_000, 2500)
    # 2026-11-22 20:01:30 in a zone eight hours ahead, at noon UTC: ninety seconds fast.
    assert _value(metrics, "device_clock_drift_seconds", concentrator="C1", meter=serial_of(1)) == 90


@pytest.mark.parametrize("words", [{"_7": 0}, {"_8": 0}])
def test_a_ratio_of_nothing_is_a_gap_and_never_no_energy(words: dict[str, int]) -> None:
    profile = parse_profile(path="p", text=_CLOCKED)
    readings, metrics = asyncio.run(_sweeps(Meters(_clocked(**words)), [NOON], profile=profile))
    assert readings == []
    assert _value(metrics, "read_failures_total", concentrator="C1", reason="decode") == 1


def test_a_clock_that_shows_no_time_is_no_drift() -> None:
    profile = parse_profile(path="p", text=_CLOCKED)
    readings, metrics = asyncio.run(_sweeps(Meters(_clocked(_9=0x2613)), [NOON], profile=profile))
    assert len(readings) == 1
    assert _value(metrics, "device_clock_drift_seconds", concentrator="C1", meter=serial_of(1)) is None


def test_zeros_before_a_serial_are_no_difference() -> None:
    assert same_serial("000000012345", "12345")
    assert not same_serial("12345", "123450")


@pytest.mark.parametrize(
    ("numerator", "denominator", "text"),
    [(5000, 1, "5000"), (1, 100, "0.01"), (-3, 2, "-1.5"), (1, 3, "0.333333333"), (0, 1, "0"), (100, 1, "100")],
)
def test_a_fraction_is_written_as_a_decimal(numerator: int, denominator: int, text: str) -> None:
    assert decimal_text(numerator, denominator) == text


def test_what_a_meter_tells_can_be_sent() -> None:
    (reading,), _ = asyncio.run(_sweeps(Meters(_acrel()), [NOON]))
    assert msgspec.json.decode(msgspec.json.encode(reading), type=RegisterReading) == reading
