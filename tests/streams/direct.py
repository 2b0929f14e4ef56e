"""The batch protocol without Kafka: messages made here, applied to a real ledger in this process."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import Connection

from ledger import wire
from ledger.store.applied import Partition
from streams.applier import Applier
from streams.message import Message
from streams.priced import PricingDraft
from streams.pricing import PricingDrafter
from tests.services.postgres import Database
from tests.streams.truth import Truth

CLUSTER = "test-cluster"


def connecting(url: str) -> Callable[[], Connection[Any]]:
    return lambda: psycopg.connect(url, autocommit=True)


def now() -> datetime:
    return datetime.now(UTC)


def pricing_applier(url: str, drafter: PricingDrafter | None = None) -> Applier[PricingDraft]:
    return Applier(connect=connecting(url), drafter=drafter or PricingDrafter(clock=now))


def partition_of(concentrator: str, *, partitions: int = 3) -> Partition:
    return Partition(CLUSTER, wire.METER_READINGS, int(concentrator[1:]) % partitions)


def messages_of(sweeps: Iterable[wire.Sweep], *, published_at: datetime, partitions: int = 3) -> list[Message]:
    """Put sweeps where a broker would: by concentrator, offsets rising by one."""
    offsets: dict[Partition, int] = {}
    messages = []
    for sweep in sweeps:
        partition = partition_of(sweep.concentrator, partitions=partitions)
        offsets[partition] = offsets.get(partition, -1) + 1
        messages.append(
            message_of(partition, offsets[partition], wire.encode(sweep), sweep.concentrator, published_at)
        )
    return messages


def message_of(
    partition: Partition, offset: int, value: bytes, key: str = "c1", published_at: datetime | None = None
) -> Message:
    return Message(partition, offset, key.encode(), value, published_at or now())


def tick_of(concentrator: str, day: date, *, offset: int, published_at: datetime, partitions: int = 3) -> Message:
    """A tick of the calendar, where a broker would put it."""
    value = wire.encode(wire.Tick(concentrator=concentrator, local_date=day))
    return message_of(partition_of(concentrator, partitions=partitions), offset, value, concentrator, published_at)


def interleaved(truth: Truth) -> list[wire.Sweep]:
    """Every sweep of a truth, the concentrators taking turns."""
    return [sweep for turn in zip(*truth.sweeps.values(), strict=True) for sweep in turn]


def messages_of_truth(truth: Truth) -> list[Message]:
    return messages_of(interleaved(truth), published_at=truth.opened_at + timedelta(days=30))


def fault_free(database: Database, truth: Truth) -> None:
    """Bill a truth with nothing going wrong."""
    applier = pricing_applier(database.url("wattledger_writer"))
    messages = messages_of_truth(truth)
    for start in range(0, len(messages), 100):
        assert applier.apply(messages[start : start + 100]) is not None
    applier.close()
