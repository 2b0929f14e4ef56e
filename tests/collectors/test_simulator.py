import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.errors import BadFile, CollectorError
from collectors.simulator.load import Household
from collectors.simulator.meter import SimulatedMeter
from collectors.simulator.run import Simulator, simulating
from collectors.simulator.state import read_state, write_state
from collectors.site import Site, read_site
from tests.collectors.builders import a_site, serial_of

MIDNIGHT = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _a_meter(seed: int = 1) -> SimulatedMeter:
    household = Household(seed=seed, serial=serial_of(1))
    return SimulatedMeter(
        serial=serial_of(1), unit=1, household=household, at=MIDNIGHT, opening_milliwh=0, total_milliwh=0
    )


def _used_milliwh(meter: SimulatedMeter, hours: int) -> int:
    before = meter.total_milliwh
    for _ in range(hours * 60):
        meter.advance(timedelta(minutes=1))
    return meter.total_milliwh - before


def test_a_household_uses_a_believable_amount_in_a_day_and_most_of_it_in_the_evening() -> None:
    for seed in range(5):
        meter = _a_meter(seed)
        by_quarter = [_used_milliwh(meter, 6) for _ in range(4)]
        assert 4_000_000 < sum(by_quarter) < 25_000_000  # 4 to 25 kWh
        assert by_quarter[3] > 2 * by_quarter[0]


def test_the_same_seed_gives_the_same_energy_and_another_seed_another() -> None:
    assert _used_milliwh(_a_meter(7), 24) == _used_milliwh(_a_meter(7), 24)
    assert _used_milliwh(_a_meter(7), 24) != _used_milliwh(_a_meter(8), 24)


def test_an_open_relay_stops_consumption_and_a_closed_one_lets_it_go_on() -> None:
    meter = _a_meter()
    assert meter.write_control(1, 1)
    assert _used_milliwh(meter, 5) == 0
    assert meter.power_w() == 0
    assert meter.write_control(1, 0)
    assert _used_milliwh(meter, 5) > 0


def test_time_of_use_registers_add_up_to_the_total() -> None:
    meter = _a_meter()
    _used_milliwh(meter, 24)
    assert sum(meter.periods_milliwh.values()) == meter.total_milliwh
    assert all(energy_milliwh > 0 for energy_milliwh in meter.periods_milliwh.values())


def test_no_energy_is_lost_between_short_steps() -> None:
    # 1 minute at one power: whether in one step or in 60 000.
    long, short = _a_meter(), _a_meter()
    long.advance(timedelta(minutes=1))
    for _ in range(60_000):
        short.advance(timedelta(milliseconds=1))
    assert long.total_milliwh == short.total_milliwh > 0


def _site(directory: Path) -> Site:
    return a_site(directory, meters_each=2)


def _simulator(site: Site, clock: Clock, speed: float = 3600.0) -> Simulator:
    return Simulator(site=site, speed=speed, seed=1, before=None, clock_s=clock)


def test_the_opening_is_what_the_register_shows_at_the_start(tmp_path: Path) -> None:
    clock = Clock()
    simulator = _simulator(_site(tmp_path), clock)
    for meter in simulator.state().meters.values():
        assert meter.opening_milliwh == meter.register_milliwh == meter.register_counts * 10_000
    clock.now_s = 10.0
    for meter in simulator.state().meters.values():
        assert meter.register_milliwh > meter.opening_milliwh
        assert meter.register_milliwh == meter.total_milliwh // 10_000 * 10_000


def test_frozen_registers_never_move_again(tmp_path: Path) -> None:
    clock = Clock()
    simulator = _simulator(_site(tmp_path), clock)
    clock.now_s = 5.0
    simulator.freeze()
    frozen = simulator.state()
    clock.now_s = 500.0
    assert simulator.state() == frozen
    assert frozen.frozen


def test_twice_the_speed_is_twice_the_energy(tmp_path: Path) -> None:
    clock = Clock()
    slow, fast = _simulator(_site(tmp_path), clock, 1.0), _simulator(_site(tmp_path), clock, 2.0)
    clock.now_s = 0.5  # short enough to stay within one minute's load
    serial = serial_of(1)
    used = [s.state().meters[serial].total_milliwh - s.meters[serial].opening_milliwh for s in (slow, fast)]
    assert abs(used[1] - 2 * used[0]) <= 1
    assert used[0] > 0


def test_a_restarted_simulator_goes_on_from_its_state_file(tmp_path: Path) -> None:
    site, state_file, clock = _site(tmp_path), tmp_path / "state.json", Clock()

    async def scene() -> None:
        async with simulating(site=site, speed=3600, clock_s=clock) as simulator:
            simulator.meters[serial_of(2)].write_control(1, 1)
            clock.now_s = 10.0
            before = simulator.state()
            write_state(state_file, before)
        async with simulating(site=site, speed=3600, clock_s=clock, state_file=state_file) as simulator:
            assert simulator.state() == before
            assert simulator.meters[serial_of(2)].relay_open

    asyncio.run(scene())
    told = json.loads(state_file.read_text())
    assert told["frozen"] is False
    assert told["meters"][serial_of(2)]["relay"] == "open"
    assert {"register_counts", "register_milliwh", "opening_milliwh", "relay"} <= told["meters"][serial_of(1)].keys()


def test_a_state_file_that_is_none_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(BadFile, match="delete it to start anew"):
        read_state(tmp_path / "state.json")


def test_a_serial_that_no_ddsy1352_can_have_is_refused(tmp_path: Path) -> None:
    _site(tmp_path)
    path = tmp_path / "site.toml"
    path.write_text(path.read_text().replace(serial_of(1), "M-1"))

    async def scene() -> None:
        async with simulating(site=read_site(path)):
            pass

    with pytest.raises(BadFile, match="serial 'M-1' is not 12 digits"):
        asyncio.run(scene())


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    async def scene() -> None:
        site = _site(tmp_path)
        async with simulating(site=site), simulating(site=site):
            pass

    with pytest.raises(CollectorError, match=r"C1: cannot listen on 127\.0\.0\.1:"):
        asyncio.run(scene())
