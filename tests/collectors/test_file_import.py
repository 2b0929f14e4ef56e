"""An import over a real broker: acknowledged sweep by sweep, counted once however often it is run."""

import asyncio

import pytest

from collectors.errors import NotAcknowledged
from collectors.file_import import publish_import
from ledger import wire
from tests.collectors.builders import NOON, free_port, kafka_settings
from tests.collectors.fake_ledger import FakeLedger, create_topics, on_broker
from tests.services.broker import KafkaBroker


def _sweeps(collector: str, counts: dict[str, int]) -> list[wire.Sweep]:
    reading = wire.Reading(
        interval=wire.IntervalReading(meter="N1", start=NOON, end=NOON.replace(hour=13), import_milliwh=5)
    )
    return [
        wire.Sweep(concentrator=concentrator, collector=collector, sequence=sequence, readings=[reading] * 2)
        for concentrator, count in counts.items()
        for sequence in range(1, count + 1)
    ]


@pytest.mark.kafka
def test_an_import_is_applied_once_and_says_so_when_it_is_run_again(own_broker: KafkaBroker) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        sweeps, ledger, kafka = (
            _sweeps("nem12.a", {"C1": 7, "C2": 2}),
            FakeLedger(),
            kafka_settings(own_broker.bootstrap),
        )
        async with on_broker(ledger, own_broker.bootstrap):
            first = await publish_import(sweeps, kafka=kafka, timeout_s=30)
            assert (first.sweeps, first.intervals, first.sweeps_already_applied) == (9, 18, 0)
            assert not first.changed_nothing
            received = ledger.received
            again = await publish_import(sweeps, kafka=kafka, timeout_s=30)
            assert again.changed_nothing
            assert again.intervals_already_applied == 18
            assert ledger.received - received == 2  # one sweep of each concentrator asked the ledger what it has
            told = await publish_import(sweeps, kafka=kafka, timeout_s=30, already_applied={"C1": 7, "C2": 2})
            assert told.changed_nothing
            assert ledger.received - received == 2
        assert len(ledger.applied) == 9

    asyncio.run(scene())


@pytest.mark.kafka
def test_an_import_that_broke_off_goes_on_where_the_ledger_is(own_broker: KafkaBroker) -> None:
    async def scene() -> None:
        await create_topics(own_broker.bootstrap)
        sweeps, ledger = _sweeps("nem12.b", {"C1": 5}), FakeLedger()
        for sweep in sweeps[:3]:
            ledger.take(sweep)
        async with on_broker(ledger, own_broker.bootstrap):
            outcome = await publish_import(sweeps, kafka=kafka_settings(own_broker.bootstrap), timeout_s=30)
        assert (outcome.sweeps_already_applied, outcome.changed_nothing) == (3, False)
        assert [sweep.sequence for sweep in ledger.applied] == [1, 2, 3, 4, 5]

    asyncio.run(scene())


def test_an_import_that_nobody_acknowledges_ends_with_a_remedy() -> None:
    async def scene() -> None:
        kafka = kafka_settings(f"127.0.0.1:{free_port()}")
        with pytest.raises(NotAcknowledged, match=r"has not acknowledged 3 of 3 sweeps within 1 s; see that"):
            await publish_import(_sweeps("nem12.c", {"C1": 3}), kafka=kafka, timeout_s=1)

    asyncio.run(scene())


def test_an_import_of_nothing_is_nothing() -> None:
    outcome = asyncio.run(publish_import([], kafka=kafka_settings("nowhere:1"), timeout_s=1))
    assert outcome.sweeps == 0
    assert outcome.changed_nothing
