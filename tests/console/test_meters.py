"""What a technician sees of profiles and of one meter."""

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collectors.errors import BadFile
from collectors.profile_library import profile_names
from collectors.simulator.run import simulating
from collectors.site import Site
from console.cli import make_app
from tests.collectors.builders import a_site, free_port, serial_of


def _told(*arguments: str, exits: int = 0) -> str:
    result = CliRunner().invoke(make_app(), ["collectors", *arguments], catch_exceptions=False)
    assert result.exit_code == exits, result.output
    return result.output


@contextmanager
def _simulated(site: Site) -> Iterator[None]:
    """Serve a site from a thread of its own, for commands that run a loop themselves."""
    loop = asyncio.new_event_loop()
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with simulating(site=site, speed=0.0):
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def test_every_profile_is_listed_with_its_source() -> None:
    told = _told("profiles")
    assert [name for name in profile_names() if name not in told] == []
    assert "Acrel DDSY1352/DTSY1352" in told


def test_every_shipped_profile_passes_its_own_check() -> None:
    folder = files("collectors").joinpath("profiles")
    told = [_told("check-profile", str(folder.joinpath(entry.name))) for entry in folder.iterdir()]
    assert sum(text.count("quantities") for text in told) == len(profile_names())
    assert "rolls over at 42949672960000 mWh" in "".join(told)


def test_a_broken_profile_is_told_all_that_is_wrong_with_it(tmp_path: Path) -> None:
    text = files("collectors").joinpath("profiles", "eastron_sdm120.toml").read_text(encoding="utf-8")
    broken = tmp_path / "mine.toml"
    broken.write_text(
        text.replace('unit = "kWh"', 'unit = "Wh "', 1).replace("read_function = 4", "read_function = 6")
    )
    with pytest.raises(BadFile) as refused:
        _told("check-profile", str(broken))
    assert len(refused.value.errors) == 2
    with pytest.raises(BadFile, match="cannot be read"):
        _told("check-profile", str(tmp_path / "nowhere.toml"))


def test_a_probe_shows_every_quantity_raw_and_decoded_with_its_unit(tmp_path: Path) -> None:
    port = free_port()
    with _simulated(a_site(tmp_path, ports=[port])):
        by_site = _told("probe", "--site", str(tmp_path / "site.toml"), "--meter", serial_of(1))
        by_line = _told(
            "probe", "--profile", "acrel_ddsy1352", "--unit", "1", "--host", "127.0.0.1", "--port", str(port)
        )
        nobody = _told(
            "probe", "--profile", "acrel_ddsy1352", "--unit", "9", "--host", "127.0.0.1", "--port", str(port), exits=1
        )
    assert by_site == by_line
    assert re.search(r"total +│ 03 +│ 0x0000 +│ u32 +│ [0-9a-f]{8} +│ [0-9.]+ +│ kWh +│ 2S", by_site)
    assert re.search(r"voltage +│ 03 +│ 0x000b +│ u16 +│ [0-9a-f]{4} +│ 2[0-9.]+ +│ V ", by_site)
    assert re.search(rf"serial .*│ {serial_of(1)} +│ {serial_of(1)} ", by_site)
    assert re.search(r"remaining .*│ 00001388 +│ 5000 +│ counts", by_site)
    assert re.search(r"relay .*│ 0000 +│ closed ", by_site)
    assert "gateway-silence" in nobody


def test_a_probe_with_another_meter_s_profile_says_which_registers_are_not_there(tmp_path: Path) -> None:
    port = free_port()
    with _simulated(a_site(tmp_path, ports=[port])):
        told = _told(
            "probe",
            "--profile",
            "schneider_pm5100",
            "--unit",
            "1",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            exits=1,
        )
    assert told.count("the meter has no such register") == 3


@pytest.mark.parametrize(
    "arguments",
    [[], ["--meter", "1"], ["--profile", "acrel_ddsy1352"], ["--profile", "x", "--host", "h", "--device", "d"]],
)
def test_a_probe_that_is_told_too_little_or_too_much_says_what_it_needs(arguments: list[str]) -> None:
    with pytest.raises(BadFile, match="give --site and --meter, or --profile and --unit"):
        _told("probe", *arguments)
