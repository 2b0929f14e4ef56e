"""The collector's process against a real broker: what the ledger has in the end is what the registers show."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.collect import Collector
from collectors.settings import CollectorSettings
from collectors.simulator.run import Simulator, simulating
from collectors.site import Site
from collectors.spool import Spool
from tests.collectors.builders import SIGNER, a_site, an_order, free_port, serial_of, settings_for, until
from tests.collectors.fake_ledger import FakeLedger, SilentLedger, create_topics, on_broker
from tests.services.broker import KafkaBroker, is_apache

pytestmark = pytest.mark.kafka


@asynccontextmanager
async def _collecting(site: Site, settings: CollectorSettings, spool_file: Path) -> AsyncIterator[Collector]:
    spool = Spool(spool_file)
    collector = Collector(settings=settings, site=site, spool=spool)
    work = asyncio.create_task(collector.run())
    try:
        yield collector
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        spool.close()


def _all_taken_in(simulator: Simulator, ledger: FakeLedger) -> bool:
    shown = {serial: meter.register_milliwh for serial, meter in simulator.state().meters.items()}
    return ledger.registers() == shown


async def _drained(collector: Collector) -> None:
    await until(lambda: collector.health()["polling_stopped"] is True and collector.spool.sweeps_kept() == 0)


def test_after_the_final_sweep_the_ledger_has_what_the_registers_show(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        site, ledger = a_site(tmp_path, ports=[free_port(), free_port()], meters_each=3), FakeLedger()
        async with (
            simulating(site=site, speed=3600) as simulator,
            on_broker(ledger, own_broker.bootstrap),
            _collecting(site, settings_for(own_broker.bootstrap), tmp_path / "spool") as collector,
        ):
            await until(lambda: len(ledger.applied) >= 6)
            simulator.freeze()
            collector.finish_polling()
            await _drained(collector)
            assert len(ledger.registers()) == 6
            assert _all_taken_in(simulator, ledger)
            assert ledger.read_times_rise()

    asyncio.run(scene())


def test_the_office_hears_how_each_concentrator_fares_even_while_no_sweep_is_acknowledged(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        there = a_site(tmp_path, ports=[port := free_port()], meters_each=2)
        site = a_site(tmp_path, ports=[port, free_port()], meters_each=3)
        settings = replace(settings_for(own_broker.bootstrap), heartbeat_interval_s=0.2)
        async with (
            simulating(site=there),
            on_broker(SilentLedger(), own_broker.bootstrap) as side,
            _collecting(site, settings, tmp_path / "spool") as collector,
        ):
            await until(lambda: any(beat.failing and beat.spool_sweeps >= 2 for beat in side.heartbeats))
            await until(lambda: len({beat.concentrator for beat in side.heartbeats[-2:] if beat.failing}) == 2)
            newest = {beat.concentrator: beat for beat in side.heartbeats}
            assert {name: (beat.meters, beat.failing) for name, beat in newest.items()} == {
                "C1": (3, 1),
                "C2": (3, 3),
            }
            assert {beat.collector for beat in side.heartbeats} == {collector.id}

    asyncio.run(scene())


def test_polling_goes_on_while_the_broker_is_away_and_one_that_comes_back_empty_loses_nothing(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        site, ledger = a_site(tmp_path, ports=[free_port()], meters_each=2), FakeLedger()
        async with (
            simulating(site=site, speed=3600) as simulator,
            _collecting(site, settings_for(own_broker.bootstrap), tmp_path / "spool") as collector,
        ):
            async with on_broker(ledger, own_broker.bootstrap):
                await until(lambda: len(ledger.applied) >= 3)
            await asyncio.to_thread(own_broker.kill)
            kept = collector.spool.last_sequence("C1")
            await until(lambda: collector.spool.last_sequence("C1") >= kept + 3)
            await asyncio.to_thread(own_broker.restart_empty)
            await create_topics(own_broker.bootstrap)
            async with on_broker(ledger, own_broker.bootstrap) as server:
                await until(lambda: len(ledger.applied) >= kept + 3)
                # Orders must be heard on the new broker too, where their topic begins at 0 again.
                await server.order(an_order("open", supply=2))
                await until(lambda: len(server.results) == 1)
                simulator.freeze()
                collector.finish_polling()
                await _drained(collector)
            assert [sweep.sequence for sweep in ledger.applied] == list(range(1, len(ledger.applied) + 1))
            assert _all_taken_in(simulator, ledger)

    asyncio.run(scene())


def test_an_order_cuts_a_supply_and_another_restores_it(tmp_path: Path, own_broker: KafkaBroker) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        site = a_site(tmp_path, ports=[free_port()], meters_each=2)
        async with (
            simulating(site=site, speed=3600) as simulator,
            on_broker(FakeLedger(), own_broker.bootstrap) as server,
            _collecting(site, settings_for(own_broker.bootstrap), tmp_path / "spool"),
        ):
            await until(lambda: server.ledger.received > 0)
            meter = simulator.meters[serial_of(1)]
            await server.order(an_order("open", sequence=1))
            await until(lambda: len(server.results) == 1)
            assert meter.relay_open
            await server.order(an_order("close", sequence=2))
            await until(lambda: len(server.results) == 2)
            assert not meter.relay_open
            assert [(r.outcome, r.readback) for r in server.results] == [
                ("confirmed", "open"),
                ("confirmed", "closed"),
            ]

    asyncio.run(scene())


@contextmanager
def _process(*arguments: str, directory: Path, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WATTLEDGER_")} | settings
    with (directory / f"{arguments[0]}.log").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "console", *arguments], env=environment, stderr=said, stdout=said
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_collector_killed_again_and_again_publishes_every_sweep_once_and_in_order(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    a_site(tmp_path, ports=[free_port(), free_port()], meters_each=2)
    site_file, state_file = str(tmp_path / "site.toml"), tmp_path / "state.json"
    settings = {
        "WATTLEDGER_KAFKA_BOOTSTRAP": own_broker.bootstrap,
        "WATTLEDGER_ORDER_PUBLIC_KEY": SIGNER.public_key_hex,
        "WATTLEDGER_KAFKA_IDEMPOTENCE": str(is_apache()),
        "WATTLEDGER_ACK_TIMEOUT": "1",
    }
    ledger = FakeLedger()

    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        async with on_broker(ledger, own_broker.bootstrap):
            for _ in range(2):
                with _process("collect", "--site", site_file, directory=tmp_path, **settings):
                    heard = len(ledger.applied)
                    await until(lambda heard=heard: len(ledger.applied) >= heard + 4)  # type: ignore[misc]
            simulator.send_signal(signal.SIGUSR1)
            await until(lambda: bool(json.loads(state_file.read_text())["frozen"]))
            with _process("collect", "--site", site_file, directory=tmp_path, **settings) as collector:
                await until(lambda: ledger.registers() == _shown(state_file))
                collector.send_signal(signal.SIGUSR1)
                collector.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(collector.wait, 10) == 0

    with _process(
        "simulate", "--site", site_file, "--speed", "3600", "--state", str(state_file), directory=tmp_path
    ) as simulator:
        asyncio.run(scene())
    for concentrator in ("C1", "C2"):
        sequences = [sweep.sequence for sweep in ledger.applied if sweep.concentrator == concentrator]
        assert sequences == list(range(1, len(sequences) + 1))
    assert ledger.read_times_rise()
    assert len({sweep.collector for sweep in ledger.applied}) == 1


def _shown(state_file: Path) -> dict[str, int]:
    meters = json.loads(state_file.read_text())["meters"]
    return {serial: meter["register_milliwh"] for serial, meter in meters.items()}


def test_what_a_concentrator_left_in_the_spool_is_published_after_it_has_left_the_site(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    async def scene() -> None:
        settings, ledger = settings_for(own_broker.bootstrap), FakeLedger()
        site = a_site(tmp_path, ports=[free_port(), free_port()])
        async with simulating(site=site), _collecting(site, settings, tmp_path / "spool") as collector:
            await until(lambda: collector.spool.last_sequence("C2") >= 2)
        await create_topics(own_broker.bootstrap)
        site = a_site(tmp_path, ports=[free_port()])
        async with on_broker(ledger, own_broker.bootstrap), _collecting(site, settings, tmp_path / "spool"):
            await until(lambda: any(sweep.concentrator == "C2" for sweep in ledger.applied))

    asyncio.run(scene())
