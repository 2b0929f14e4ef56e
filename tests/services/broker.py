"""A Kafka-protocol broker for tests: the embedded one, or Apache Kafka with WATTLEDGER_TEST_BROKER=apache.

Tests that use it carry the marker `kafka`, so that `make test-kafka` runs the same tests on Apache Kafka. `broker` is
shared by the tests of one process: name topics and groups after the test. A test that kills the broker, or runs the
system's own topics from their beginning, asks for `own_broker`.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from console.embedded.broker import EmbeddedBroker
from tests.services.apache import ApacheBroker

_numbers = itertools.count(1)


class KafkaBroker(Protocol):
    """What a test may ask of either broker."""

    cluster_id: str

    @property
    def bootstrap(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def restart_empty(self) -> None: ...


def is_apache() -> bool:
    """Whether tests run on Apache Kafka, which knows idempotent producers; the embedded broker does not."""
    return os.environ.get("WATTLEDGER_TEST_BROKER", "embedded") == "apache"


@pytest.fixture(scope="session")
def broker(service_directory: Path) -> Iterator[KafkaBroker]:
    yield from _running(service_directory / "broker")


@pytest.fixture
def own_broker(service_directory: Path) -> Iterator[KafkaBroker]:
    yield from _running(service_directory / f"own-broker-{next(_numbers)}")


def restart_broker(broker: KafkaBroker) -> None:
    """Kill the broker and start it again: Apache Kafka on the log that it left, the embedded one empty."""
    if isinstance(broker, ApacheBroker):
        broker.restart()
    else:
        broker.restart_empty()


def _running(directory: Path) -> Iterator[KafkaBroker]:
    broker = _made(directory)
    broker.start()
    yield broker
    broker.stop()


def _made(directory: Path) -> KafkaBroker:
    named = os.environ.get("WATTLEDGER_TEST_BROKER", "embedded")
    if named == "embedded":
        return EmbeddedBroker(directory=directory)
    if named == "apache":
        return ApacheBroker(directory=directory)
    raise ValueError(f"WATTLEDGER_TEST_BROKER={named!r} is neither embedded nor apache")
