"""A log that is not the one applied stops the worker by name, until an operator says by name where to go on."""

import asyncio
import os
from collections.abc import Sequence

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from typer.testing import CliRunner

from console.cli import make_app
from ledger import wire
from ledger.store.applied import Applied, Partition, message_digest, move_positions
from streams.assignment import LogMismatch, verify_log
from streams.positions import ResolutionRefused, list_positions, resolve_position
from tests.services.broker import KafkaBroker, is_apache
from tests.services.postgres import Database
from tests.streams.conftest import Campaign

pytestmark = pytest.mark.kafka

VALUES = [b"first", b"second", b"third"]


async def _published(bootstrap: str, topic: str, values: Sequence[bytes], *, partition: int = 0) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    await client.create_topics([NewTopic(topic, 1, 1)])
    await client.close()
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"key", partition=partition)


def _verify(broker: KafkaBroker, topic: str, applied: Applied) -> None:
    positions = {Partition(broker.cluster_id, topic, 0): applied}
    asyncio.run(verify_log(bootstrap=broker.bootstrap, positions=positions))


@pytest.mark.parametrize(
    "applied",
    [
        Applied(-1, b""),
        Applied(0, message_digest(b"key", b"first")),
        Applied(2, message_digest(b"key", b"third")),
        Applied(1, b""),
    ],
)
def test_a_log_that_was_applied_is_gone_on_with(broker: KafkaBroker, applied: Applied) -> None:
    topic = f"verified-{applied.offset}-{len(applied.digest)}"
    asyncio.run(_published(broker.bootstrap, topic, VALUES))
    _verify(broker, topic, applied)


@pytest.mark.parametrize(
    ("name", "applied", "complaint"),
    [
        ("recreated", Applied(1, message_digest(b"key", b"other")), "another message at offset 1"),
        ("shorter", Applied(3, message_digest(b"key", b"other")), "ends before offset 3"),
        ("much-shorter", Applied(40, message_digest(b"key", b"other")), "ends before offset 40"),
    ],
)
def test_another_log_is_refused_by_name(
    broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch, name: str, applied: Applied, complaint: str
) -> None:
    monkeypatch.setattr("streams.assignment._READ_TIMEOUT_S", 3.0)
    asyncio.run(_published(broker.bootstrap, name, VALUES))
    with pytest.raises(LogMismatch, match=f"(?s){name}/0 .*{complaint}.*positions resolve"):
        _verify(broker, name, applied)


@pytest.mark.skipif(
    not is_apache(), reason="the embedded broker neither ages messages out nor deletes them on request"
)
def test_unbilled_messages_that_retention_has_eaten_are_missed_but_billed_ones_are_not(broker: KafkaBroker) -> None:
    async def eaten() -> None:
        await _published(broker.bootstrap, "eaten", VALUES)
        client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await client.start()
        await client.delete_records({TopicPartition("eaten", 0): RecordsToDelete(before_offset=2)})
        await client.close()

    asyncio.run(eaten())
    _verify(broker, "eaten", Applied(1, message_digest(b"key", b"second")))
    with pytest.raises(LogMismatch, match=r"eaten/0 .*begins at offset 2, the ledger applied up to 0"):
        _verify(broker, "eaten", Applied(0, message_digest(b"key", b"first")))
    with pytest.raises(LogMismatch, match=r"eaten/0 .*begins at offset 2, the ledger applied up to -1"):
        _verify(broker, "eaten", Applied(-1, b""))


def test_a_worker_refuses_another_log_until_an_operator_resolves_it(campaign: Campaign) -> None:
    """The ledger believes to have applied another message at offset 0: as after a topic was created anew."""
    asyncio.run(_published(campaign.broker.bootstrap, wire.METER_READINGS, [b"not ours"] * 2, partition=1))
    lost = Partition(campaign.broker.cluster_id, wire.METER_READINGS, 1)
    with psycopg.connect(campaign.url) as connection, connection.cursor() as cursor:
        move_positions(cursor, {lost: Applied(0, b"another message's digest")})
    with campaign.worker() as worker, campaign.collector(made=20) as collector:
        assert worker.wait_for_exit() == 70
        assert worker.said("meter-readings/1 (cluster")
        assert worker.said("has another message at offset 0: it was re-created")
        result = _resolve(campaign, "--at", "-1", "--reason", "topic was created anew")
        assert result[0] == 0, result[1]
        worker.restart()
        collector.wait_for_made()
        assert "a worker is at work" in _resolve(campaign, "--at", "5", "--reason", "too hasty")[1]
        collector.make(60)
        collector.wait_for()
    row = next(row for row in list_positions(campaign.url) if row.topic == lost.topic and row.partition == 1)
    assert row.reason == "topic was created anew"
    with psycopg.connect(campaign.url) as connection:
        letters = connection.execute("SELECT message_offset FROM ledger.dead_letters ORDER BY 1").fetchall()
    assert letters == [(0,), (1,)]
    campaign.check()


def _resolve(campaign: Campaign, *options: str) -> tuple[int, str]:
    environment = {"WATTLEDGER_DATABASE_URL": campaign.url, "WATTLEDGER_KAFKA_BOOTSTRAP": campaign.broker.bootstrap}
    runner = CliRunner(env={**os.environ, **environment})
    result = runner.invoke(make_app(), ["positions", "resolve", wire.METER_READINGS, "1", *options])
    return result.exit_code, f"{result.output} {result.exception!r}"


def test_a_position_resolved_where_a_message_stands_keeps_its_digest(database: Database, broker: KafkaBroker) -> None:
    asyncio.run(_published(broker.bootstrap, "resolved", VALUES))
    partition = Partition(broker.cluster_id, "resolved", 0)

    def resolve(at: int) -> Applied:
        return asyncio.run(
            resolve_position(
                url=database.url("wattledger_writer"),
                bootstrap=broker.bootstrap,
                partition=partition,
                at=at,
                reason="a test",
                resolved_by="tester",
            )
        )

    assert resolve(1) == Applied(1, message_digest(b"key", b"second"))
    assert resolve(7) == Applied(7, b"")
    with pytest.raises(ResolutionRefused, match="below -1"):
        resolve(-2)
    with psycopg.connect(database.url()) as connection:
        rows = connection.execute(
            "SELECT position_before, position, reason, resolved_by FROM ledger.position_resolutions ORDER BY id"
        ).fetchall()
    assert rows == [(-1, 1, "a test", "tester"), (1, 7, "a test", "tester")]
