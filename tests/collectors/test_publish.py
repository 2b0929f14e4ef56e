"""The publisher against a broker in memory: what the ledger applies is each sweep once, in order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collectors.errors import LinkLost, SpoolError
from collectors.metrics import CollectorMetrics
from collectors.publish import Publisher
from collectors.settings import PublishSettings
from collectors.spool import Spool, Spooled
from ledger import wire
from tests.collectors.builders import until
from tests.collectors.fake_ledger import FakeLedger

_QUICK = PublishSettings(window=4, ack_timeout_s=0.3, ack_timeout_max_s=0.6, link_silence_s=30.0)


class FakeBroker:
    """Hands each sweep to the ledger and its answer back; loses the messages whose running numbers it is told."""

    def __init__(self, ledger: FakeLedger, *, lose: set[int] | None = None, silent: bool = False) -> None:
        self.ledger = ledger
        self.publisher: Publisher | None = None
        self.sent: list[int] = []
        self.silent = silent
        self._lose = lose or set()

    async def send(self, topic: str, key: bytes, message: bytes) -> None:
        sweep = wire.decode_meter_message(message)
        assert isinstance(sweep, wire.Sweep)
        assert (topic, key) == (wire.METER_READINGS, sweep.concentrator.encode())
        self.sent.append(sweep.sequence)
        if len(self.sent) not in self._lose and not self.silent:
            assert self.publisher is not None
            await self.publisher.take_ack(self.ledger.take(sweep))


def _keep(spool: Spool, count: int, concentrator: str = "C1") -> None:
    for _ in range(count):
        sequence = spool.next_sequence(concentrator)
        sweep = wire.Sweep(concentrator=concentrator, collector="edge-1.abc", sequence=sequence, readings=[])
        spool.append(Spooled(concentrator=concentrator, sequence=sequence, message=wire.encode(sweep)))


def _publisher(spool: Spool, settings: PublishSettings = _QUICK) -> Publisher:
    return Publisher(
        source=spool,
        collector="edge-1.abc",
        concentrators=["C1", "C2"],
        settings=settings,
        metrics=CollectorMetrics(),
    )


@asynccontextmanager
async def _publishing(publisher: Publisher, broker: FakeBroker) -> AsyncIterator[None]:
    broker.publisher = publisher
    work = asyncio.create_task(publisher.run(broker.send))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _sequences(ledger: FakeLedger, concentrator: str = "C1") -> list[int]:
    return [sweep.sequence for sweep in ledger.applied if sweep.concentrator == concentrator]


@pytest.fixture
def spool(tmp_path: Path) -> "Spool":
    return Spool(tmp_path / "spool")


def test_every_sweep_of_every_concentrator_is_published_once_when_nothing_goes_wrong(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 10)
        _keep(spool, 3, "C2")
        ledger = FakeLedger()
        broker = FakeBroker(ledger)
        async with _publishing(_publisher(spool), broker):
            await until(lambda: spool.sweeps_kept() == 0)
        assert _sequences(ledger) == list(range(1, 11))
        assert _sequences(ledger, "C2") == [1, 2, 3]
        assert len(broker.sent) == 13

    asyncio.run(scene())


class StuckBroker(FakeBroker):
    """Takes nothing of C1: its partition's leader is away."""

    async def send(self, topic: str, key: bytes, message: bytes) -> None:
        if key == b"C1":
            await asyncio.Event().wait()
        await super().send(topic, key, message)


def test_a_concentrator_whose_partition_is_stuck_holds_up_no_other(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 20)
        _keep(spool, 20, "C2")
        ledger = FakeLedger()
        async with _publishing(_publisher(spool), StuckBroker(ledger)):
            await until(lambda: len(_sequences(ledger, "C2")) == 20, within_s=5)
        assert (_sequences(ledger), spool.sweeps_kept()) == ([], 20)

    asyncio.run(scene())


def test_a_long_backlog_of_one_concentrator_does_not_keep_another_waiting(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 300)
        _keep(spool, 10, "C2")
        ledger = FakeLedger()
        async with _publishing(_publisher(spool), FakeBroker(ledger)):
            await until(lambda: spool.sweeps_kept() == 0)
        assert _sequences(ledger) == list(range(1, 301))
        order = [sweep.concentrator for sweep in ledger.applied]
        last_of_short = len(order) - 1 - order[::-1].index("C2")
        assert order[:last_of_short].count("C1") < 150

    asyncio.run(scene())


@pytest.mark.parametrize("lose", [{1}, {3}, {10}, {2, 3, 4, 5}, {1, 2, 6, 7, 11}])
def test_a_message_lost_on_the_way_is_published_again_with_all_that_follow(spool: Spool, lose: set[int]) -> None:
    async def scene() -> None:
        _keep(spool, 10)
        ledger = FakeLedger()
        async with _publishing(_publisher(spool), FakeBroker(ledger, lose=lose)):
            await until(lambda: spool.sweeps_kept() == 0)
        assert _sequences(ledger) == list(range(1, 11))

    asyncio.run(scene())


def test_after_a_restart_all_that_is_unacknowledged_is_published_again_and_applied_once(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 4)
        ledger = FakeLedger()
        silent = FakeBroker(ledger, silent=True)
        async with _publishing(_publisher(spool), silent):
            await until(lambda: len(silent.sent) == 4)
        # The ledger had them all, but its answers were lost with the collector.
        for kept in spool.after("C1", 0, limit=4):
            sweep = wire.decode_meter_message(kept.message)
            assert isinstance(sweep, wire.Sweep)
            ledger.take(sweep)
        _keep(spool, 2)
        async with _publishing(_publisher(spool), FakeBroker(ledger)):
            await until(lambda: spool.sweeps_kept() == 0)
        assert _sequences(ledger) == [1, 2, 3, 4, 5, 6]

    asyncio.run(scene())


def test_a_new_connection_begins_again_with_the_first_that_is_unacknowledged(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 3)
        patient = PublishSettings(window=4, ack_timeout_s=60, ack_timeout_max_s=60, link_silence_s=60)
        publisher, lost = _publisher(spool, patient), FakeBroker(FakeLedger(), silent=True)
        async with _publishing(publisher, lost):
            await until(lambda: len(lost.sent) == 3)
        ledger = FakeLedger()
        async with _publishing(publisher, FakeBroker(ledger)):
            await until(lambda: spool.sweeps_kept() == 0)
        assert _sequences(ledger) == [1, 2, 3]

    asyncio.run(scene())


def test_a_silent_ledger_is_not_flooded(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 50)
        broker = FakeBroker(FakeLedger(), silent=True)
        async with _publishing(_publisher(spool), broker):
            await until(lambda: len(broker.sent) >= 6)
        assert broker.sent == [1, 2, 3, 4, 1, 1]

    asyncio.run(scene())


def test_long_silence_asks_for_a_new_connection(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 1)
        settings = PublishSettings(window=4, ack_timeout_s=0.2, ack_timeout_max_s=0.2, link_silence_s=0.5)
        broker = FakeBroker(FakeLedger(), silent=True)
        with pytest.raises(LinkLost, match=r"nothing was acknowledged for 0\.5 s"):
            await asyncio.wait_for(_publisher(spool, settings).run(broker.send), timeout=5)

    asyncio.run(scene())


def test_silence_with_nothing_to_acknowledge_is_no_loss(spool: Spool) -> None:
    async def scene() -> None:
        settings = PublishSettings(window=4, ack_timeout_s=0.2, ack_timeout_max_s=0.2, link_silence_s=0.3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_publisher(spool, settings).run(FakeBroker(FakeLedger()).send), timeout=1.0)

    asyncio.run(scene())


def test_acknowledgements_of_other_collectors_and_concentrators_are_passed_over(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 2)
        publisher = _publisher(spool)
        await publisher.take_ack(wire.SweepAck(concentrator="C1", collector="edge-1.xyz", sequence=2))
        await publisher.take_ack(wire.SweepAck(concentrator="C9", collector="edge-1.abc", sequence=2))
        assert spool.sweeps_kept() == 2
        await publisher.take_ack(wire.SweepAck(concentrator="C1", collector="edge-1.abc", sequence=1))
        assert spool.sweeps_kept() == 1

    asyncio.run(scene())


def test_an_old_copy_of_a_spool_is_refused_before_it_loses_readings(spool: Spool) -> None:
    async def scene() -> None:
        _keep(spool, 2)
        with pytest.raises(SpoolError, match="it is an old copy"):
            await _publisher(spool).take_ack(wire.SweepAck(concentrator="C1", collector="edge-1.abc", sequence=3))
        assert spool.sweeps_kept() == 2

    asyncio.run(scene())
