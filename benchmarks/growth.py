"""`growth`: pricing and projection as meters and events become many; bytes on disk, and memory in the worker."""

import itertools
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from psycopg import Connection

from benchmarks.estate import found
from benchmarks.load import Load
from benchmarks.priced_tariffs import EVERYTHING
from benchmarks.pricing import priced_run
from benchmarks.projection import projected
from benchmarks.report import Report, Row
from benchmarks.stand import Stand, standing
from ledger.store.gate import gated

_STREAMS_OF_OTHERS = 100_000
_APPENDED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Size:
    """Which estates and ledgers are measured, and by how many readings."""

    meters: tuple[int, ...]
    events: tuple[int, ...]
    meters_of_events: int
    readings: int
    runs: int


FULL_SIZE = Size((1_000, 100_000, 1_000_000), (0, 1_000_000, 20_000_000), 10_000, 400_000, 3)
QUICK_SIZE = Size((1_000, 5_000), (0, 50_000), 1_000, 30_000, 1)


def measure(*, quick: bool) -> Report:
    """Measure growth in both ways."""
    return measure_of(QUICK_SIZE if quick else FULL_SIZE)


def measure_of(size: Size) -> Report:
    """Measure estates of some sizes on an empty ledger, then a ledger of some sizes with the same estate."""
    report = Report("growth", f"Growth, median of {size.runs} runs")
    by_meters = [_estate(meters, size) for meters in size.meters]
    report.rows += _with_ratio(by_meters, "ratio_to_1000_meters")
    with standing() as stand:
        report.rows += _with_ratio(list(_ledger(stand, size)), "ratio_to_empty")
    last_estate, last_ledger = by_meters[-1].figures, report.rows[-1].figures
    report.figures |= {
        "ratio_to_1000_meters": report.rows[len(by_meters) - 1].figures["ratio_to_1000_meters"],
        "ratio_to_empty": last_ledger["ratio_to_empty"],
        "disk_bytes_a_debit": last_ledger["disk_bytes_a_debit"],
        "worker_bytes_a_meter": last_estate["worker_bytes_a_meter"],
    }
    report.bars = ("readings a second", {row.name: float(row.figures["readings_per_s"]) for row in report.rows})
    return report


def _estate(meters: int, size: Size) -> Row:
    with standing() as stand:
        idle_bytes = _idle_bytes(stand)
        found(stand.connection, meters=meters, tariff=EVERYTHING)
        projected(stand)
        load = Load(meters)
        row = _measured(stand, load, f"{meters:,} meters", size)
        grown = float(row.figures["worker_mb"]) * 1e6 - idle_bytes
        return Row(row.name, {**row.figures, "worker_bytes_a_meter": round(grown / meters)})


def _ledger(stand: Stand, size: Size) -> Iterator[Row]:
    """Measure the same estate again and again, in a ledger that others fill meanwhile."""
    found(stand.connection, meters=size.meters_of_events, tariff=EVERYTHING)
    projected(stand)
    load = Load(size.meters_of_events)
    filled = 0
    rows_of_others: list[StoredEvent] = []
    for events in size.events:
        fill(stand.connection, rows_of_others, events=events - filled, first_version=filled // _STREAMS_OF_OTHERS)
        filled = events
        row = _measured(stand, load, f"{events:,} events before", size)
        rows_of_others = rows_of_others or _some_debits(stand.connection)
        yield row


def _measured(stand: Stand, load: Load, name: str, size: Size) -> Row:
    pricings, projections, memories, disk = [], [], [], []
    rounds = max(1, size.readings // load.meters)
    for _ in range(size.runs):
        before = _bytes_on_disk(stand)
        priced = priced_run(stand, load, rounds=rounds)
        pricings.append(priced.readings_per_s)
        memories.append(priced.memory_bytes)
        disk.append((_bytes_on_disk(stand) - before) / len(priced.rows))
        projections.append(projected(stand).per_s)
    return Row(
        name,
        {
            "readings_per_s": statistics.median(pricings),
            "projected_per_s": statistics.median(projections),
            "disk_bytes_a_debit": round(statistics.median(disk)),
            "worker_mb": statistics.median(memories) / 1e6,
        },
    )


def _with_ratio(rows: list[Row], name: str) -> list[Row]:
    first = float(rows[0].figures["readings_per_s"])
    return [Row(row.name, {**row.figures, name: float(row.figures["readings_per_s"]) / first}) for row in rows]


def _idle_bytes(stand: Stand) -> int:
    """Return the memory of a worker that knows no meter."""
    stand.start("price")
    idle = stand.memory_bytes("price")
    stand.stop("price")
    return idle


def _bytes_on_disk(stand: Stand) -> int:
    return stand.number("SELECT pg_total_relation_size('ledger.events')")


def fill(connection: Connection[Any], rows: list[StoredEvent], *, events: int, first_version: int = 0) -> None:
    """Append so many debits of other supply points, which nobody reads but whose rows and indexes are there.

    The read models are told to have seen them: what they grow by is the subject of `projection`.
    """
    streams = [UUID(int=random.Random(number).getrandbits(128)) for number in range(_STREAMS_OF_OTHERS)]  # noqa: S311
    kinds = itertools.cycle(rows)
    for first in range(0, events, _APPENDED_AT_ONCE):
        batch = [
            StoredEvent(
                streams[number % _STREAMS_OF_OTHERS],
                first_version + number // _STREAMS_OF_OTHERS + 1,
                kind.topic,
                kind.state,
            )
            for number, kind in zip(range(first, min(first + _APPENDED_AT_ONCE, events)), kinds, strict=False)
        ]
        with gated(connection) as gate:
            gate.append(batch)
    connection.execute("UPDATE projections.tracking SET position = (SELECT head FROM ledger.gate)")


def _some_debits(connection: Connection[Any]) -> list[StoredEvent]:
    rows = connection.execute(
        "SELECT originator_id, originator_version, topic, state FROM ledger.events"
        " WHERE topic = 'meter.usage-debited/1' ORDER BY notification_id DESC LIMIT 200"
    ).fetchall()
    return [StoredEvent(stream, version, topic, bytes(state)) for stream, version, topic, state in rows]
