"""The Kafka topics, created by us: their partitions, retention and copies are contracts, never a broker's default."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from console.errors import ConsoleError
from ledger.values.environment import Environment
from ledger.wire import TOPICS

# Tansu creates any topic that a client so much as asks about, with four partitions. With the same number from us, a
# client that asks first (after the broker was started empty under it) does no harm.
EMBEDDED_PARTITIONS = 4


class TopicsFailed(ConsoleError):
    """The topics are not there as they must be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicLayout:
    """How every topic is laid out; none is compacted, as the ledger counts on gapless offsets."""

    partitions: int = 8
    replication: int = 1
    retention_days: int = 14

    def configs(self) -> dict[str, str]:
        """The topic's configuration in Kafka's words."""
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_days * 86_400_000),
            "retention.bytes": "-1",
            # A reading's time is judged against its message's: that must be the broker's, not the collector's own.
            "message.timestamp.type": "LogAppendTime",
            # An acknowledged message is on every copy but one, so losing a broker loses nothing.
            "min.insync.replicas": str(max(1, self.replication - 1)),
        }


def bootstrap_from(environ: Mapping[str, str]) -> str:
    """Read the broker's address; raises InvalidValue when it is not set."""
    environment = Environment(environ)
    bootstrap = environment.text("WATTLEDGER_KAFKA_BOOTSTRAP", help_="the broker, host:port[,host:port]")
    environment.check()
    return bootstrap


def create_topics(*, bootstrap: str, layout: TopicLayout) -> list[str]:
    """Create every topic of ours that is missing and return their names; running it again changes nothing.

    Raises TopicsFailed when the broker does not answer or refuses, or when a topic is there with another number of
    partitions: a concentrator's key would then change its partition in mid-stream.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:  # whether or not our caller runs an event loop
        return thread.submit(asyncio.run, _created(bootstrap, layout)).result()


async def _created(bootstrap: str, layout: TopicLayout) -> list[str]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await client.start()
        created = await _create_missing(client, layout)
        await _check_partitions(client, layout)
        await _check_timestamps(client)
    except (KafkaError, OSError) as error:
        raise TopicsFailed(f"the topics cannot be created at {bootstrap}: {error}") from error
    finally:
        await client.close()
    return created


async def _create_missing(client: AIOKafkaAdminClient, layout: TopicLayout) -> list[str]:
    there = set(await client.list_topics())
    missing = [name for name in TOPICS if name not in there]
    if not missing:
        return []
    response = await client.create_topics(
        [NewTopic(name, layout.partitions, layout.replication, topic_configs=layout.configs()) for name in missing]
    )
    created = []
    for name, code, message in response.topic_errors:
        if code == TopicAlreadyExistsError.errno:  # someone else was quicker
            continue
        if code != 0:
            raise TopicsFailed(f"topic {name} cannot be created: {for_code(code).__name__}: {message}")
        created.append(str(name))
    return created


async def _check_timestamps(client: AIOKafkaAdminClient) -> None:
    """The times of messages judge the times of readings: a topic that takes the producer's word is refused."""
    wanted = ("message.timestamp.type", "LogAppendTime")
    for name in TOPICS:
        (response,) = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        for _error, _message, _type, topic, entries in response.resources:
            found = {entry[0]: entry[1] for entry in entries}.get(wanted[0])
            if found != wanted[1]:
                raise TopicsFailed(
                    f"topic {topic} has {wanted[0]}={found} where {wanted[1]} is wanted; set it with"
                    f" `kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config"
                    f" {wanted[0]}={wanted[1]}`"
                )


async def _check_partitions(client: AIOKafkaAdminClient, layout: TopicLayout) -> None:
    # A new topic's partitions may take a moment to be known.
    for _ in range(50):
        topics = await client.describe_topics(list(TOPICS))
        if all(topic["error_code"] == 0 for topic in topics):
            break
        await asyncio.sleep(0.1)
    for topic in topics:
        found = len(topic["partitions"])
        if found != layout.partitions:
            raise TopicsFailed(
                f"topic {topic['topic']} has {found} partitions where {layout.partitions} are wanted; "
                "set WATTLEDGER_PARTITIONS to what is there, or move to new topics"
            )
