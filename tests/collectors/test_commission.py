"""A meter is walked through its commissioning over real frames; whatever fails, a relay found closed ends closed."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from collectors.commission import Commissioning, Walk
from collectors.simulator.meter import SimulatedMeter
from collectors.simulator.run import Simulator, simulating
from collectors.site import Site, read_site
from collectors.site_meter import reaching
from tests.collectors.builders import a_site, free_port, serial_of, site_text
from tests.collectors.simulated_meters import EVENING

Harm = Callable[[Simulator], None]


def _walked(
    simulated: Site, *, site: Site | None = None, harm: Harm = lambda simulator: None, min_load_w: int = 1
) -> tuple[Walk, SimulatedMeter]:
    async def scene() -> tuple[Walk, SimulatedMeter]:
        async with simulating(site=simulated, start=EVENING) as simulator:
            harm(simulator)
            serial = (site or simulated).concentrators[0].meters[0].serial
            async with reaching(site=site or simulated, serial=serial, wait_s=0.0) as (_, reader):
                walk = await Commissioning(reader=reader, min_load_w=min_load_w, timeout_s=1.0).run()
            return walk, simulator.meters[serial_of(1)]

    return asyncio.run(scene())


def test_a_sound_meter_passes_its_load_falls_and_its_relay_is_closed_in_the_end(tmp_path: Path) -> None:
    walk, meter = _walked(a_site(tmp_path))
    assert [step for step, _ in walk.steps] == ["serial", "reading", "load", "trip", "load-falls", "close"]
    assert (walk.passed, walk.relay, walk.load_open_w) == (True, "tripped", 0)
    assert walk.load_before_w == meter.household.power_w(EVENING)
    assert walk.register_milliwh == meter.opening_milliwh
    assert not meter.relay_open


def test_another_meter_is_not_tripped(tmp_path: Path) -> None:
    simulated = a_site(tmp_path, ports=[port := free_port()])
    (tmp_path / "other.toml").write_text(site_text(ports=[port]).replace(serial_of(1), serial_of(2)))
    walk, meter = _walked(simulated, site=read_site(tmp_path / "other.toml"))
    assert (walk.failed, walk.relay, meter.control) == ("serial", "none", (0, 0))
    assert f"it says {serial_of(1)}, the site file {serial_of(2)}" in walk.steps[-1][1]


def test_without_a_load_nothing_is_tripped_because_nothing_could_be_seen_to_fall(tmp_path: Path) -> None:
    walk, meter = _walked(a_site(tmp_path), min_load_w=1_000_000)
    assert (walk.failed, meter.control) == ("load", (0, 0))


def test_a_relay_that_is_found_open_is_left_open(tmp_path: Path) -> None:
    walk, meter = _walked(a_site(tmp_path), harm=_opened)
    assert walk.failed == "relay"
    assert meter.relay_open


def test_a_relay_that_reads_open_while_the_load_flows_on_fails_and_is_closed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SimulatedMeter, "power_w", lambda meter: meter.household.power_w(meter.at))
    walk, meter = _walked(a_site(tmp_path))
    assert (walk.failed, walk.relay) == ("load-falls", "tripped")
    assert walk.steps[-2][0] == "close"
    assert meter.control == (1, 0)


def test_a_trip_that_the_meter_refuses_fails_and_a_close_is_tried_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[tuple[int, int]] = []
    monkeypatch.setattr(SimulatedMeter, "write_control", lambda _, first, second: written.append((first, second)))
    walk, _ = _walked(a_site(tmp_path))
    assert walk.failed == "trip"
    assert set(written) == {(1, 1), (1, 0)}


def test_a_protected_supply_passes_without_being_cut(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(site_text(ports=[free_port()]) + "\nprotected = true")
    walk, meter = _walked(read_site(tmp_path / "site.toml"))
    assert (walk.passed, walk.relay, meter.control) == (True, "protected", (0, 0))


def test_a_meter_without_a_relay_passes_by_its_reading(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text(site_text(ports=[free_port()]) + '\nprofile = "eastron_sdm120"')
    walk, _ = _walked(read_site(tmp_path / "site.toml"))
    assert (walk.passed, walk.relay) == (True, "none")
    assert walk.steps[0][1].startswith("the meter tells none")


def test_a_silent_meter_fails_at_its_first_question(tmp_path: Path) -> None:
    text = site_text(ports=[free_port()]).replace("unit = 1", "unit = 7")
    (tmp_path / "other.toml").write_text(text)
    port = int(text.partition("port = ")[2].split()[0])
    walk, meter = _walked(a_site(tmp_path, ports=[port]), site=read_site(tmp_path / "other.toml"))
    assert (walk.failed, walk.register_milliwh, meter.control) == ("serial", None, (0, 0))


def _opened(simulator: Simulator) -> None:
    simulator.meters[serial_of(1)].write_control(1, 1)
