"""Messages that nothing can be made of: kept, published, counted; billing goes on around them."""

import asyncio
import json
from typing import Any

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ledger import wire
from tests.streams.collector import until
from tests.streams.conftest import Campaign
from tests.streams.truth import COLLECTOR

pytestmark = pytest.mark.kafka

_SWEEP = wire.encode(wire.Sweep(concentrator="c1", collector=COLLECTOR, sequence=1, readings=[]))
_LARGE = b"\xff" * 700_000
# (topic, key, value, reason); all of one partition, so that they stand between the sweeps.
_BAD: list[tuple[str, bytes, bytes | None, str]] = [
    (wire.METER_READINGS, b"c1", b"\xffnot json", "unreadable"),
    (wire.METER_READINGS, b"c1", _SWEEP.replace(b'"schema":1', b'"schema":2'), "unknown-schema"),
    (wire.METER_READINGS, b"c2", _SWEEP, "wrong-key"),
    (wire.METER_READINGS, b"c1", None, "unreadable"),
    (wire.METER_READINGS, b"c1", b'{"schema":1,"kind":"a\\u0000b"}', "malformed"),
    (wire.METER_READINGS, b"c1", _LARGE, "unreadable"),
    (wire.METER_READINGS, b"c1", _SWEEP.replace(b'"sequence":1', b'"sequence":' + b"9" * 40), "malformed"),
    (wire.RELAY_RESULTS, b"c1", b"[]", "unreadable"),
]


def test_unreadable_messages_are_kept_and_published_and_billing_goes_on(campaign: Campaign) -> None:
    with campaign.worker() as worker, campaign.collector(made=20) as collector:
        collector.wait_for(10)
        asyncio.run(_publish_bad(campaign.broker.bootstrap))
        collector.make(60)
        collector.wait_for()
        until(lambda: len(_kept(campaign)) == len(_BAD), what=lambda: str(_kept(campaign)))
        copies = asyncio.run(_dead_letters(campaign.broker.bootstrap, len(_BAD)))
        assert worker.running.poll() is None
        assert worker.terminate() == 0
    assert sorted(copy["reason"] for copy in copies) == sorted(bad[3] for bad in _BAD)
    for topic, _, value, reason in _BAD:
        assert (topic, reason, value) in _kept(campaign)
    large = next(copy for copy in copies if copy["payload_bytes"] == len(_LARGE))
    assert _LARGE.hex().startswith(large["payload"])
    campaign.check()


async def _publish_bad(bootstrap: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number, (topic, key, value, _) in enumerate(_BAD):
            # One of them claims a time that no calendar has.
            timestamp_ms = 2**62 if number == 0 and not _checks_times() else None
            await producer.send_and_wait(topic, value, key=key, partition=1, timestamp_ms=timestamp_ms)


def _checks_times() -> bool:
    """Apache Kafka 4 refuses messages from the far future; the embedded broker does not."""
    from tests.services.broker import is_apache

    return is_apache()


def _kept(campaign: Campaign) -> list[tuple[str, str, bytes | None]]:
    with psycopg.connect(campaign.database.url()) as connection:
        rows = connection.execute("SELECT topic, reason, payload FROM ledger.dead_letters ORDER BY id").fetchall()
    return [(topic, reason, payload) for topic, reason, payload in rows]


async def _dead_letters(bootstrap: str, count: int) -> list[dict[str, Any]]:
    consumer = AIOKafkaConsumer(wire.DEAD_LETTERS, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    async with consumer:
        return [json.loads((await asyncio.wait_for(consumer.getone(), 30)).value) for _ in range(count)]
