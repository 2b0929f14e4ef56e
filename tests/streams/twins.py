"""A ledger to which things happen, and its twin that had a quiet run: afterwards they must not differ."""

import random
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg

from ledger.store.application import Ledger
from streams.message import Message
from tests.estate import build_estate
from tests.services.postgres import Database
from tests.streams.books import check_books, meter_histories
from tests.streams.truth import make_truth

METERS = {f"c{number}": [f"c{number}-1-m", f"c{number}-2-m"] for number in (1, 2, 3)}
SUPPLIES = [serial.removesuffix("-m") for serials in METERS.values() for serial in serials]
TRUTH = make_truth(METERS, sweeps=12)


def with_estate(database: Database) -> Database:
    """Build the estate of the truth."""
    ledger = Ledger(url=database.url("wattledger_writer"))
    build_estate(ledger, concentrators=3, meters_each=2, opened_at=TRUTH.opened_at)
    ledger.close()
    return database


def url_of(database: Database) -> str:
    """The database for who writes to it."""
    return database.url("wattledger_writer")


def check(database: Database, quiet: Database) -> None:
    """Check that every stream is that of the quiet run, and the books those of the truth."""
    check_books(database.url(), TRUTH, supplies=SUPPLIES)
    assert meter_histories(database.url(), SUPPLIES) == meter_histories(quiet.url(), SUPPLIES)


def deliveries(messages: Sequence[Message], chance: random.Random) -> Iterator[list[Message]]:
    """Deliver as Kafka may: in batches that mix partitions, again from anywhere earlier, now and then with a gap."""
    by_partition: dict[Any, list[Message]] = {}
    for message in messages:
        by_partition.setdefault(message.partition, []).append(message)
    reading = dict.fromkeys(by_partition, 0)
    for _ in range(1_000):
        batch: list[Message] = []
        for partition in chance.sample(list(by_partition), k=chance.randint(1, len(by_partition))):
            reading[partition] = max(0, reading[partition] - chance.choice((0, 0, 0, 1, 4)))
            start = reading[partition] + chance.choice((0, 0, 0, 0, 2))
            taken = by_partition[partition][start : start + chance.randint(1, 4)]
            reading[partition] = min(start + len(taken), len(by_partition[partition]))
            batch += taken
        yield batch
        if all(reading[partition] == len(by_partition[partition]) for partition in by_partition):
            return


def beside(database: Database) -> list[Any]:
    """The rows beside the events: positions, progress and counts, as a redelivery must leave them."""
    with psycopg.connect(database.url()) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT * FROM ledger.positions ORDER BY topic, partition",
                "SELECT collector, concentrator, sequence, duplicates, out_of_sequence FROM ledger.sweeps"
                " ORDER BY concentrator",
                "SELECT * FROM ledger.meters_seen ORDER BY supply",
            )
        ]
