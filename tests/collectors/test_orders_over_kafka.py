"""Orders to a real collector through a real broker: obeyed is the ledger's newest, in time, for the right meter."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from collectors.collect import Collector
from collectors.simulator.run import Simulator, simulating
from collectors.site import Site, read_site
from collectors.spool import Spool
from ledger import wire
from ledger.values.signing import OrderSigner, new_signing_key_hex
from tests.collectors.builders import a_site, an_order, free_port, serial_of, settings_for, site_text, until
from tests.collectors.fake_ledger import FakeLedger, ServerSide, create_topics, on_broker
from tests.services.broker import KafkaBroker

pytestmark = pytest.mark.kafka


@dataclass(slots=True)
class Edge:
    """A site with its simulated meters and the server's side of the topics; the collector comes and goes."""

    site: Site
    simulator: Simulator
    server: ServerSide
    bootstrap: str
    spool_file: Path

    def is_open(self, supply: int = 1) -> bool:
        return self.simulator.meters[serial_of(supply)].relay_open

    @asynccontextmanager
    async def collecting(self, now: Callable[[], datetime] | None = None) -> AsyncIterator[Collector]:
        spool = Spool(self.spool_file)
        settings = settings_for(self.bootstrap)
        collector = Collector(settings=settings, site=self.site, spool=spool, now=now or (lambda: datetime.now(UTC)))
        work = asyncio.create_task(collector.run())
        swept = self.server.ledger.received
        try:
            # Orders are heard from the moment that this collector is connected: what was said before is no order of
            # this test's. A sweep alone does not tell, for the one before may have sent it in its last moment.
            await until(lambda: collector.metrics.registry.get_sample_value("wattledger_broker_connected") == 1)
            await until(lambda: self.server.ledger.received > swept)
            yield collector
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            spool.close()

    async def answered(self, *orders: wire.RelayCommand) -> list[wire.RelayResult]:
        """Send orders and return the answers to them."""
        before = len(self.server.results)
        for order in orders:
            await self.server.order(order)
        await until(lambda: len(self.server.results) >= before + len(orders))
        return self.server.results[before:]


@asynccontextmanager
async def _edge(directory: Path, bootstrap: str, *, wired: Site | None = None) -> AsyncIterator[Edge]:
    await create_topics(bootstrap)
    site = a_site(directory, ports=[free_port()], meters_each=2)
    async with simulating(site=wired or site, speed=60) as simulator, on_broker(FakeLedger(), bootstrap) as server:
        yield Edge(site, simulator, server, bootstrap, directory / "spool")


@pytest.mark.parametrize("restarts", [False, True], ids=["the same collector", "restarted between"])
@pytest.mark.parametrize("newest", ["close", "open"])
def test_an_older_order_that_comes_after_a_newer_one_changes_nothing(
    tmp_path: Path, own_broker: KafkaBroker, newest: wire.RelayAction, restarts: bool
) -> None:
    older: wire.RelayAction = "open" if newest == "close" else "close"

    async def scene() -> None:
        async with _edge(tmp_path, own_broker.bootstrap) as edge:
            late = an_order(older, sequence=7)
            async with edge.collecting():
                await edge.answered(an_order(older, sequence=6))
                (done,) = await edge.answered(an_order(newest, sequence=8))
                assert done.outcome == "confirmed"
                if not restarts:
                    (result,) = await edge.answered(late)
            if restarts:
                async with edge.collecting():
                    (result,) = await edge.answered(late)
            assert (result.order, result.outcome) == (late.order, "superseded")
            assert edge.is_open() is (newest == "open")

    asyncio.run(scene())


def test_forged_replayed_expired_and_misaddressed_orders_are_inert(tmp_path: Path, own_broker: KafkaBroker) -> None:
    async def scene() -> None:
        async with _edge(tmp_path, own_broker.bootstrap) as edge, edge.collecting():
            cut, restore = an_order("open", sequence=1), an_order("close", sequence=2)
            assert [result.outcome for result in await edge.answered(cut)] == ["confirmed"]
            assert [result.outcome for result in await edge.answered(restore)] == ["confirmed"]
            long_ago = datetime.now(UTC) - timedelta(hours=1)
            inert = {
                "forged": (an_order("open", sequence=9, signer=OrderSigner(new_signing_key_hex())), "refused"),
                "altered": (msgspec.structs.replace(an_order("close", sequence=9), action="open"), "refused"),
                # A repeat is answered with what became of it the first time, and switches nothing.
                "replayed": (cut, "confirmed"),
                "expired": (an_order("open", sequence=10, issued_at=long_ago), "expired"),
                "another meter": (an_order("open", sequence=11, meter=serial_of(9)), "refused"),
                "another supply": (an_order("open", sequence=11, supply=9, meter=serial_of(1)), "refused"),
            }
            for name, (order, outcome) in inert.items():
                (result,) = await edge.answered(order)
                assert (name, result.outcome) == (name, outcome)
                assert not edge.is_open(), name
            assert not edge.is_open(2)

    asyncio.run(scene())


def test_a_collector_whose_clock_is_set_back_cuts_nobody(tmp_path: Path, own_broker: KafkaBroker) -> None:
    async def scene() -> None:
        async with _edge(tmp_path, own_broker.bootstrap) as edge:
            yesterday = datetime.now(UTC) - timedelta(days=1)
            async with edge.collecting(now=lambda: yesterday):
                (result,) = await edge.answered(an_order("open", sequence=1))
                assert result.outcome == "refused"
                assert result.detail.startswith("clock:")
                assert not edge.is_open()

    asyncio.run(scene())


def test_an_order_is_refused_where_another_meter_answers_in_its_place(
    tmp_path: Path, own_broker: KafkaBroker
) -> None:
    """Two meters were exchanged in the field: the order would switch the neighbour's supply."""

    async def scene() -> None:
        port = free_port()
        swapped = site_text(ports=[port], meters_each=2)
        one, two = serial_of(1), serial_of(2)
        swapped = swapped.replace(one, "x").replace(two, one).replace("x", two)
        file = tmp_path / "swapped.toml"
        file.write_text(swapped)
        await create_topics(own_broker.bootstrap)
        site = a_site(tmp_path, ports=[port], meters_each=2)
        bootstrap = own_broker.bootstrap
        async with (
            simulating(site=read_site(file), speed=60) as simulator,
            on_broker(FakeLedger(), bootstrap) as server,
        ):
            edge = Edge(site, simulator, server, bootstrap, tmp_path / "spool")
            async with edge.collecting():
                for action in ("open", "close"):
                    sequence = 1 if action == "open" else 2
                    (result,) = await edge.answered(an_order(action, sequence=sequence))
                    assert result.outcome == "refused"
                    assert result.detail.startswith(f"serial: the meter at unit 1 says {two}")
                    assert not edge.is_open(1)
                    assert not edge.is_open(2)

    asyncio.run(scene())
