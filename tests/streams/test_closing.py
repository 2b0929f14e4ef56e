"""A consumer whose broker is away is closed, and whoever closes it goes on."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from ledger.closing import closed
from tests.services.broker import KafkaBroker

pytestmark = pytest.mark.kafka

TOPIC = TopicPartition("test-closing", 0)


def test_whoever_closes_a_consumer_that_waits_to_fetch_again_goes_on(own_broker: KafkaBroker) -> None:
    async def fetched_until_nobody_is_there() -> str:
        admin = AIOKafkaAdminClient(bootstrap_servers=own_broker.bootstrap)
        await admin.start()
        await admin.create_topics([NewTopic(TOPIC.topic, 1, 1)])
        await admin.close()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=own_broker.bootstrap, auto_offset_reset="earliest", retry_backoff_ms=5_000
        )
        await consumer.start()
        consumer.assign([TOPIC])
        await consumer.getmany(timeout_ms=500)
        own_broker.kill()
        await consumer.getmany(timeout_ms=1_000)
        await closed(consumer.stop())
        return "went on"

    assert asyncio.run(fetched_until_nobody_is_there()) == "went on"
