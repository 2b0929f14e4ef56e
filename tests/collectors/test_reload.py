"""A site file changed under a running collector, and a spool replaced under it: no sweep is lost, none is doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from collectors.dial_in import DialIn
from collectors.errors import CollectorError
from collectors.listeners import Listeners
from collectors.metrics import CollectorMetrics
from collectors.process import Process
from collectors.simulator.run import simulating
from collectors.site import Site, read_site
from ledger import wire
from tests.collectors.builders import a_site, an_order, free_port, settings_for, site_text, until


@asynccontextmanager
async def _running(directory: Path) -> AsyncIterator[Process]:
    settings = settings_for(f"127.0.0.1:{free_port()}", site_file=directory / "site.toml")
    process = Process(settings)
    work = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        process.close()


def _sweeps(process: Process, concentrator: str) -> list[wire.Sweep]:
    kept = process.collector.spool.after(concentrator, 0, limit=10_000)
    return [msgspec.json.decode(spooled.message, type=wire.Sweep) for spooled in kept]


def _reloads(process: Process, outcome: str) -> float:
    value = process.metrics.registry.get_sample_value("wattledger_site_reloads_total", {"outcome": outcome})
    return value or 0.0


def test_a_changed_site_is_polled_at_once_and_what_stays_goes_on_without_a_gap(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    whole = a_site(tmp_path, ports=[first, second], meters_each=2)

    async def scene() -> None:
        async with simulating(site=whole, speed=3600):
            (tmp_path / "site.toml").write_text(site_text(ports=[first], meters_each=2))
            async with _running(tmp_path) as process:
                spool = process.collector.spool
                await until(lambda: spool.last_sequence("C1") >= 2)
                (tmp_path / "site.toml").write_text(site_text(ports=[first, second], meters_each=2))
                process.reload()
                await until(lambda: spool.last_sequence("C2") >= 2)
                (tmp_path / "site.toml").write_text(site_text(ports=[first, second], meters_each=1))
                process.reload()
                await until(lambda: _reloads(process, "taken-over") == 2)
                before = spool.last_sequence("C1")
                await until(lambda: spool.last_sequence("C1") >= before + 2)
                assert len(_sweeps(process, "C1")[-1].readings) == 1
                (tmp_path / "site.toml").write_text(site_text(ports=[first], meters_each=1))
                process.reload()
                await until(lambda: _reloads(process, "taken-over") == 3)
                gone = spool.last_sequence("C2")
                before = spool.last_sequence("C1")
                await until(lambda: spool.last_sequence("C1") >= before + 3)
                assert spool.last_sequence("C2") == gone
                assert len(_sweeps(process, "C2")) == gone
                (tmp_path / "site.toml").write_text(site_text(ports=[first, second], meters_each=2))
                process.reload()
                await until(lambda: spool.last_sequence("C2") >= gone + 2)
                for concentrator in ("C1", "C2"):
                    sweeps = _sweeps(process, concentrator)
                    assert [sweep.sequence for sweep in sweeps] == list(range(1, len(sweeps) + 1))
                    times = [r.register.read_at for sweep in sweeps for r in sweep.readings if r.register is not None]
                    assert all(earlier < later for earlier, later in pairwise(times))

    asyncio.run(scene())


def test_a_wrong_site_file_is_told_and_the_old_one_stays_in_force(tmp_path: Path) -> None:
    site = a_site(tmp_path)

    async def scene() -> None:
        async with simulating(site=site), _running(tmp_path) as process:
            await until(lambda: process.collector.spool.last_sequence("C1") >= 1)
            (tmp_path / "site.toml").write_text("[collector]\n")
            process.reload()
            await until(lambda: _reloads(process, "refused") == 1)
            (tmp_path / "site.toml").write_text(site_text(ports=[5020]).replace("edge-1", "edge-2"))
            process.reload()
            await until(lambda: _reloads(process, "refused") == 2)
            before = process.collector.spool.last_sequence("C1")
            await until(lambda: process.collector.spool.last_sequence("C1") >= before + 2)

    asyncio.run(scene())


def test_a_site_whose_new_port_is_taken_changes_nothing_at_all_orders_included(tmp_path: Path) -> None:
    port = free_port()
    site = a_site(tmp_path, ports=[port])

    async def scene() -> None:
        taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        listener = f"""
[[listeners]]
id = "terminals"
host = "127.0.0.1"
port = {taken.sockets[0].getsockname()[1]}
registration = '(?P<id>.{{15}})'
"""
        async with taken, simulating(site=site), _running(tmp_path) as process:
            collector = process.collector
            await until(lambda: collector.spool.last_sequence("C1") >= 1)
            (tmp_path / "site.toml").write_text(site_text(ports=[port]).replace('"S1"', '"S9"') + listener)
            process.reload()
            await until(lambda: _reloads(process, "refused") == 1)
            await collector._relays.take(an_order("open"))
            await until(lambda: bool(collector.spool.results_kept(limit=9)))
            (kept,) = collector.spool.results_kept(limit=9)
            assert wire.decode_result(kept.message).outcome == "confirmed"
            assert collector.site == site

    asyncio.run(scene())


def test_a_listener_that_cannot_come_back_changed_comes_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, other = free_port(), free_port()

    def site_of(text: str) -> Site:
        (tmp_path / "site.toml").write_text(site_text(ports=[free_port()]) + text)
        return read_site(tmp_path / "site.toml")

    def listening(identity: str, at: int, timeout_s: float) -> str:
        return f"""
[[listeners]]
id = "{identity}"
host = "127.0.0.1"
port = {at}
registration = '(?P<id>.)'
registration_timeout_s = {timeout_s}
"""

    start = DialIn.start

    async def starting(listener: DialIn) -> None:
        if listener._plan.registration_timeout_s == 99:
            raise CollectorError("somebody took the port in between")
        await start(listener)

    async def scene() -> None:
        monkeypatch.setattr(DialIn, "start", starting)
        listeners = Listeners(site=site_of(listening("a", port, 1)), metrics=CollectorMetrics())
        await listeners.start()
        with pytest.raises(CollectorError, match="somebody took"):
            await listeners.take_over(site_of(listening("a", port, 99) + listening("b", other, 1)))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", other)
        await listeners.stop()

    asyncio.run(scene())


def test_a_spool_that_proves_damaged_is_set_aside_while_polling_goes_on_under_a_new_epoch(tmp_path: Path) -> None:
    site = a_site(tmp_path)

    async def scene() -> None:
        async with simulating(site=site), _running(tmp_path) as process:
            await until(lambda: process.collector.spool.last_sequence("C1") >= 1)
            old = process.collector
            old.spool.damaged.set()
            await until(lambda: process.collector is not old and process.collector.spool.last_sequence("C1") >= 2)
            assert process.collector.id != old.id
            assert process.metrics.registry.get_sample_value("wattledger_spools_set_aside_total") == 1
            assert len(list(tmp_path.glob("spool.sqlite.set-aside-*"))) == 1

    asyncio.run(scene())
