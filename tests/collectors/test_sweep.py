"""What a sweep makes of meters that answer late, wrongly, partly or not at all."""

import asyncio
from collections.abc import Container, Coroutine
from pathlib import Path
from typing import Any

import pytest

from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus
from collectors.site import read_site
from collectors.sweep import Sweeper
from ledger import wire
from tests.collectors.builders import (
    NOON,
    Answering,
    a_site,
    answer_to,
    free_port,
    serial_of,
    site_text,
    stub_concentrator,
)

_ENERGY = "03 14 0000 0064 0000 0000 0000 0000 0000 0064 0000 0000"


async def _answers(request: bytes) -> bytes:
    return answer_to(request, _ENERGY)


def _unit(request: bytes) -> int:
    return request[6]


async def _swept(
    directory: Path, answer: Answering, *, meters: int = 3, sweeps: int = 1, retries: int = 0
) -> tuple[list[list[wire.Reading]], CollectorMetrics, list[bytes]]:
    async with stub_concentrator(answer) as (port, requests):
        site = a_site(directory, ports=[port], meters_each=meters)
        bus, metrics = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.15), CollectorMetrics()
        sweeper = Sweeper(
            concentrator=site.concentrators[0], bus=bus, retries=retries, metrics=metrics, now=lambda: NOON
        )
        swept = [await sweeper.sweep() for _ in range(sweeps)]
        bus.close()
    return swept, metrics, requests


def _serials(readings: list[wire.Reading]) -> list[str]:
    return [reading.register.meter for reading in readings if reading.register is not None]


def _failures(metrics: CollectorMetrics, reason: str) -> float:
    labels = {"concentrator": "C1", "reason": reason}
    return metrics.registry.get_sample_value("wattledger_read_failures_total", labels) or 0.0


def _run(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scene)


def test_a_dead_meter_is_a_gap_and_the_others_are_read(tmp_path: Path) -> None:
    async def answer(request: bytes) -> bytes | None:
        return None if _unit(request) == 2 else await _answers(request)

    swept, metrics, _ = _run(_swept(tmp_path, answer))
    assert [_serials(readings) for readings in swept] == [[serial_of(1), serial_of(3)]]
    assert _failures(metrics, "timeout") == 1


def test_a_meter_that_failed_twice_rests_and_is_read_again_once_it_answers(tmp_path: Path) -> None:
    dead = {2}

    async def answer(request: bytes) -> bytes | None:
        return None if _unit(request) in dead else await _answers(request)

    async def scene() -> tuple[int, list[str]]:
        async with stub_concentrator(answer) as (port, requests):
            site = a_site(tmp_path, ports=[port], meters_each=2)
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.1)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            for _ in range(14):
                await sweeper.sweep()
            asked = sum(_unit(request) == 2 for request in requests)
            dead.clear()
            readings = await sweeper.sweep()
            bus.close()
            return asked, _serials(readings)

    asked, after = _run(scene())
    assert asked == 2
    assert after == [serial_of(1), serial_of(2)]


def test_a_final_sweep_asks_resting_meters_too(tmp_path: Path) -> None:
    async def scene() -> int:
        async def answer(request: bytes) -> bytes | None:
            return None if _unit(request) == 2 else await _answers(request)

        async with stub_concentrator(answer) as (port, requests):
            site = a_site(tmp_path, ports=[port], meters_each=2)
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.05)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            for _ in range(4):
                await sweeper.sweep()
            await sweeper.sweep(all_meters=True)
            bus.close()
            return sum(_unit(request) == 2 for request in requests)

    assert _run(scene()) == 3


@pytest.mark.parametrize("retries", [0, 3])
def test_one_dead_meter_among_thirty_costs_less_than_one_time_out_in_ten_sweeps(tmp_path: Path, retries: int) -> None:
    async def answer(request: bytes) -> bytes | None:
        return None if _unit(request) == 7 else await _answers(request)

    async def scene() -> tuple[int, int, int]:
        async with stub_concentrator(answer) as (port, requests):
            # Only the dead one's time-out is short: a busy machine must not make the others look dead, too.
            text = site_text(ports=[port], meters_each=30)
            (tmp_path / "site.toml").write_text(text.replace('"S7"', '"S7"\nrequest_timeout_s = 0.05'))
            site = read_site(tmp_path / "site.toml")
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=30.0)
            sweeper = Sweeper(
                concentrator=site.concentrators[0],
                bus=bus,
                retries=retries,
                metrics=CollectorMetrics(),
                now=lambda: NOON,
            )
            for _ in range(2):
                await sweeper.sweep()
            first = sum(_unit(request) == 7 for request in requests)
            readings = sum([len(await sweeper.sweep()) for _ in range(130)])
            bus.close()
            return first, sum(_unit(request) == 7 for request in requests) - first, readings

    first, later, readings = _run(scene())
    assert first == retries + 2  # once with its retries, once more without
    assert later == 130 // 13
    assert readings == 130 * 29


def test_when_a_whole_bus_was_away_one_answer_wakes_all_its_meters(tmp_path: Path) -> None:
    away = [True]

    async def answer(request: bytes) -> bytes | None:
        return None if away else await _answers(request)

    async def scene() -> tuple[list[int], int, int]:
        async with stub_concentrator(answer) as (port, requests):
            site = a_site(tmp_path, ports=[port], meters_each=4)
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.03)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            asked = []
            for _ in range(5):
                before = len(requests)
                await sweeper.sweep()
                asked.append(len(requests) - before)
            away.clear()
            first, second = len(await sweeper.sweep()), len(await sweeper.sweep())
            bus.close()
            return asked, first, second

    assert _run(scene()) == ([4, 4, 1, 1, 1], 1, 4)


def test_an_answer_of_another_unit_or_request_is_refused(tmp_path: Path) -> None:
    async def answer(request: bytes) -> bytes:
        if _unit(request) == 1:
            return await _answers(request[:6] + b"\x07" + request[7:])
        if _unit(request) == 2:
            return await _answers(b"\x7f\x7f" + request[2:])
        return answer_to(request, "04" + _ENERGY[2:])

    swept, metrics, _ = _run(_swept(tmp_path, answer))
    assert swept == [[]]
    assert _failures(metrics, "timeout") == 2
    assert _failures(metrics, "wrong-answer") == 1


def test_a_shorter_answer_than_was_asked_for_is_refused(tmp_path: Path) -> None:
    async def answer(request: bytes) -> bytes:
        return answer_to(request, "03 04 0000 0064")

    swept, metrics, _ = _run(_swept(tmp_path, answer, meters=1))
    assert swept == [[]]
    assert _failures(metrics, "wrong-length") == 1


def test_a_clock_outside_the_wires_calendar_is_a_gap_and_the_collector_lives(tmp_path: Path) -> None:
    async def scene() -> CollectorMetrics:
        async with stub_concentrator(_answers) as (port, _):
            site = a_site(tmp_path, ports=[port])
            bus, metrics = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.2), CollectorMetrics()
            sweeper = Sweeper(
                concentrator=site.concentrators[0],
                bus=bus,
                retries=0,
                metrics=metrics,
                now=lambda: NOON.replace(year=3000),
            )
            assert await sweeper.sweep() == []
            bus.close()
            return metrics

    assert _failures(_run(scene()), "decode") == 1


def test_a_late_answer_is_not_taken_for_the_next_ones(tmp_path: Path) -> None:
    async def answer(request: bytes) -> bytes:
        if _unit(request) == 1:
            await asyncio.sleep(0.2)
        return answer_to(request, _ENERGY.replace("0064", f"{_unit(request):04x}"))

    swept, _, _ = _run(_swept(tmp_path, answer, meters=2))
    (reading,) = swept[0]
    assert reading.register is not None
    assert (reading.register.meter, reading.register.import_milliwh) == (serial_of(2), 20_000)


def _a_meter_of(addresses: Container[int], *, words_at_once: int = 125) -> tuple[Answering, list[tuple[int, int]]]:
    """Answer for a meter that has these addresses only, each word showing its own address."""
    asked: list[tuple[int, int]] = []

    async def answer(request: bytes) -> bytes:
        address, count = int.from_bytes(request[8:10], "big"), int.from_bytes(request[10:12], "big")
        asked.append((address, count))
        if count > words_at_once or not all(word in addresses for word in range(address, address + count)):
            return answer_to(request, "83 02")
        return answer_to(
            request, f"03 {2 * count:02x} " + "".join(f"{w:04x}" for w in range(address, address + count))
        )

    return answer, asked


def test_one_address_that_a_meter_lacks_does_not_lose_the_others_and_is_asked_for_no_more(tmp_path: Path) -> None:
    answer, asked = _a_meter_of(range(8))
    swept, _, _ = _run(_swept(tmp_path, answer, meters=1, sweeps=3))
    for ((reading,),) in zip(swept, strict=True):
        assert reading.register is not None
        assert reading.register.import_milliwh == 0x0000_0001 * 10_000
        assert reading.register.raw == "00000001000200030004000500060007"
    assert asked[-2:] == [(0, 8), (0, 8)]
    assert (8, 2) in asked


def test_a_meter_that_gives_less_at_once_than_its_profile_says_is_asked_for_less_from_then_on(tmp_path: Path) -> None:
    answer, asked = _a_meter_of(range(10), words_at_once=6)
    swept, _, _ = _run(_swept(tmp_path, answer, meters=1, sweeps=2))
    assert [readings[0].register.raw for readings in swept if readings[0].register] == [
        "".join(f"{word:04x}" for word in range(10))
    ] * 2
    assert asked == [(0, 10), (0, 4), (4, 6), (0, 4), (4, 6)]


def test_a_meter_without_its_total_is_a_gap_whatever_else_it_has(tmp_path: Path) -> None:
    answer, _ = _a_meter_of(range(2, 10))
    swept, metrics, _ = _run(_swept(tmp_path, answer, meters=1))
    assert swept == [[]]
    assert _failures(metrics, "illegal-address") == 1


def test_a_busy_meter_is_asked_again_after_a_pause(tmp_path: Path) -> None:
    busy = [True]

    async def answer(request: bytes) -> bytes:
        return answer_to(request, "83 06") if busy and busy.pop() else await _answers(request)

    swept, metrics, requests = _run(_swept(tmp_path, answer, meters=1, retries=1))
    assert len(swept[0]) == 1
    assert len(requests) == 2
    assert _failures(metrics, "busy") == 0


def test_a_concentrator_that_is_away_costs_one_attempt_and_no_meter_its_turn_later(tmp_path: Path) -> None:
    async def scene() -> tuple[float, list[str]]:
        port = free_port()
        site = a_site(tmp_path, ports=[port], meters_each=3)
        bus, metrics = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=0.2), CollectorMetrics()
        sweeper = Sweeper(concentrator=site.concentrators[0], bus=bus, retries=0, metrics=metrics, now=lambda: NOON)
        for _ in range(3):
            assert await sweeper.sweep() == []
        async with stub_concentrator(_answers, port=port):
            readings = await sweeper.sweep()
            bus.close()
        return _failures(metrics, "no-connection"), _serials(readings)

    failures, serials = _run(scene())
    assert failures == 3
    assert serials == [serial_of(1), serial_of(2), serial_of(3)]


def test_a_relay_order_with_its_read_back_goes_before_the_next_poll_request(tmp_path: Path) -> None:
    async def scene() -> list[int]:
        asked = asyncio.Event()

        async def slowly(request: bytes) -> bytes:
            asked.set()
            await asyncio.sleep(0.05)
            if request[7] == 0x10:
                return answer_to(request, "10 0057 0002")
            return answer_to(request, "03 02 0001") if request[9] == 0x22 else await _answers(request)

        async def order(bus: Bus) -> None:
            await bus.write(unit=4, address=0x0057, words=(1, 1))
            await bus.read(unit=4, function=3, address=0x0022, count=1, urgent=True)

        async with stub_concentrator(slowly) as (port, requests):
            site = a_site(tmp_path, ports=[port], meters_each=3)
            bus = Bus.over_tcp(host="127.0.0.1", port=port, timeout_s=1)
            sweeper = Sweeper(
                concentrator=site.concentrators[0], bus=bus, retries=0, metrics=CollectorMetrics(), now=lambda: NOON
            )
            sweep = asyncio.create_task(sweeper.sweep())
            await asked.wait()
            await order(bus)
            assert len(await sweep) == 3
            bus.close()
            return [request[9] for request in requests]

    energy, control, state = 0x00, 0x57, 0x22
    assert _run(scene()) == [energy, control, state, energy, energy]
