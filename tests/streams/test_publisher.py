"""Two publishers of relay orders: one is in office; when it goes, or falls silent, the other takes over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer

from ledger import wire
from streams import connecting
from streams.connecting import connected_for_office
from streams.outbox import take_office
from streams.publisher import OrderPublisher
from streams.settings import Settings, read_settings
from tests.services.broker import KafkaBroker, is_apache
from tests.services.postgres import Database
from tests.streams.test_relay_results import issue_order

pytestmark = pytest.mark.kafka


def _settings(database: Database, broker: KafkaBroker) -> Settings:
    return read_settings(
        {
            "WATTLEDGER_DATABASE_URL": database.url("wattledger_writer"),
            "WATTLEDGER_KAFKA_BOOTSTRAP": broker.bootstrap,
            "WATTLEDGER_KAFKA_IDEMPOTENCE": str(is_apache()).lower(),
            "WATTLEDGER_ORDER_RESEND_S": "60",
        }
    )


def _in_office(database: Database) -> list[int]:
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()
    return [row[0] for row in rows]


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about in 20 s")


@asynccontextmanager
async def _listening(broker: KafkaBroker) -> AsyncIterator[list[wire.RelayCommand]]:
    heard: list[wire.RelayCommand] = []
    consumer = AIOKafkaConsumer(
        wire.RELAY_COMMANDS, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=50
    )

    async def listen() -> None:
        async for record in consumer:
            heard.append(wire.decode_command(record.value))

    async with consumer:
        task = asyncio.create_task(listen())
        yield heard
        task.cancel()


def test_one_publisher_is_in_office_and_the_other_takes_over(database: Database, own_broker: KafkaBroker) -> None:
    from console.topics import EMBEDDED_PARTITIONS, TopicLayout, create_topics

    create_topics(bootstrap=own_broker.bootstrap, layout=TopicLayout(partitions=EMBEDDED_PARTITIONS))

    async def scene() -> None:
        settings = _settings(database, own_broker)
        publishers: list[asyncio.Task[Any]] = [asyncio.create_task(OrderPublisher(settings).run()) for _ in range(2)]
        async with _listening(own_broker) as heard:
            await _until(lambda: len(_in_office(database)) == 1)
            first = issue_order(database, 1)
            await _until(lambda: len(heard) == 1)
            await asyncio.sleep(1.2)  # the other looks for news every second
            assert [command.order for command in heard] == [first.order]
            with psycopg.connect(database.url(), autocommit=True) as owner:
                owner.execute("SELECT pg_terminate_backend(%s)", _in_office(database))
            second = issue_order(database, 2)
            await _until(lambda: len(heard) == 2)
            assert heard[1].order == second.order
        for publisher in publishers:
            publisher.cancel()
        await asyncio.gather(*publishers, return_exceptions=True)

    asyncio.run(scene())


def test_an_office_whose_holder_falls_silent_is_free_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_OFFICE_IDLE_S", 1)
    silent = connected_for_office(database.url("wattledger_writer"), name="publish")
    assert take_office(silent)
    successor = connected_for_office(database.url("wattledger_writer"), name="publish")
    assert not take_office(successor)

    async def take_over() -> None:
        await _until(lambda: take_office(successor))

    asyncio.run(take_over())
    successor.close()
    with pytest.raises(psycopg.OperationalError):
        silent.execute("SELECT 1")
