import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from console.cluster import cluster_id_at
from console.embedded.broker import EmbeddedBroker
from console.embedded.ports import free_port
from console.errors import ServiceFailed
from tests.services.broker import KafkaBroker, is_apache
from tests.services.processes import ends, family, killed_parent_of


async def _created(bootstrap: str, topic: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        await client.create_topics([NewTopic(topic, 2, 1)])
    finally:
        await client.close()


async def _sent_and_read(bootstrap: str, topic: str) -> bytes:
    await _created(bootstrap, topic)
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=is_apache()) as producer:
        await producer.send_and_wait(topic, b"a sweep", key=b"concentrator")
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=topic, auto_offset_reset="earliest")
    async with consumer:
        message = await asyncio.wait_for(consumer.getone(), timeout=60)
    return bytes(message.value)


@pytest.mark.kafka
def test_a_consumer_group_reads_what_a_producer_sent(broker: KafkaBroker) -> None:
    assert asyncio.run(_sent_and_read(broker.bootstrap, "test-sent-and-read")) == b"a sweep"


@pytest.mark.kafka
def test_the_broker_tells_its_cluster_id(broker: KafkaBroker) -> None:
    assert cluster_id_at(broker.bootstrap) == broker.cluster_id


@pytest.mark.kafka
def test_a_broker_started_empty_is_another_cluster_on_the_same_address(own_broker: KafkaBroker) -> None:
    bootstrap, cluster_id = own_broker.bootstrap, own_broker.cluster_id
    own_broker.restart_empty()
    assert own_broker.bootstrap == bootstrap
    assert cluster_id_at(bootstrap) == own_broker.cluster_id != cluster_id


def test_nobody_at_an_address_has_no_cluster_id() -> None:
    assert cluster_id_at(f"127.0.0.1:{free_port()}") is None


def test_a_broker_on_a_taken_port_is_refused(tmp_path: Path) -> None:
    with EmbeddedBroker(directory=tmp_path / "first") as first, pytest.raises(ServiceFailed, match="did not start"):
        EmbeddedBroker(directory=tmp_path / "second", port=first.port).start(timeout_s=5)


def test_stopping_leaves_no_process(tmp_path: Path) -> None:
    broker = EmbeddedBroker(directory=tmp_path)
    broker.start()
    assert broker.process is not None
    pids = family(broker.process.pid)
    broker.stop()
    assert ends(pids)


def test_kill_9_of_the_parent_leaves_no_process(tmp_path: Path) -> None:
    pids = killed_parent_of(
        f"""if True:
        import time
        from pathlib import Path
        from console.embedded.broker import EmbeddedBroker
        broker = EmbeddedBroker(directory=Path({str(tmp_path)!r}))
        broker.start()
        print("up", flush=True)
        time.sleep(60)
        """
    )
    assert len(pids) == 1
    assert ends(pids)
