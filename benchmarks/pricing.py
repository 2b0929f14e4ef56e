"""`pricing`, `ceiling` and `library`: readings to committed debits, against what PostgreSQL and the library can do.

`pricing` is the real worker process, all guarantees on, fed from the broker: one of them, and as many as there are
cores, sharing out the partitions. `ceiling` writes the very rows that they wrote with the same gate, positions and
batch size, laid out beforehand, and does nothing else. `library` saves the same events, same payload, through the
eventsourcing library's own recorder, 500 a save.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, ClassVar
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.persistence import StoredEvent
from psycopg import Connection
from psycopg.rows import tuple_row

from benchmarks.errors import BenchmarkFailed
from benchmarks.estate import found
from benchmarks.load import Load, publish
from benchmarks.pace import Pace, paced
from benchmarks.priced_tariffs import EVERYTHING, FLAT
from benchmarks.report import Report, Row
from benchmarks.stand import Stand, standing
from console.topics import EMBEDDED_PARTITIONS
from ledger import wire
from ledger.domain.event import Event
from ledger.store.applied import Applied, Partition, move_positions
from ledger.store.copying import COPY_EVENTS, laid_out
from ledger.store.gate import gated
from ledger.store.mapper import FactMapper, fact_of, stored

TARIFFS = {"flat": FLAT, "time of use × blocks × levies": EVERYTHING}
FULL = "time of use × blocks × levies"
# Python prices on one core a process, so there is one for each; more than partitions would stand by.
WORKERS = max(1, min(os.cpu_count() or 1, EMBEDDED_PARTITIONS))
_LIBRARY_EVENTS_A_SAVE = 500
_LIBRARY_EVENTS = 20_000
_GROUPS = count(1)


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: meters, rounds of reading them all in a run, and runs."""

    meters: int
    rounds: int
    runs: int


FULL_SIZE = Size(meters=10_000, rounds=30, runs=3)
QUICK_SIZE = Size(meters=2_000, rounds=90, runs=1)


@dataclass(frozen=True, slots=True)
class Worked:
    """A run of the worker: how many readings, how fast, in how many batches, and its memory at the end.

    `first` is how it went before that, where meters were met for the first time.
    """

    readings: int
    readings_per_s: float
    batches: float
    memory_bytes: int
    first: Pace | None = None


@dataclass(slots=True)
class Priced:
    """A run of the worker: its rate, and what it wrote."""

    readings_per_s: float
    rows: list[StoredEvent]
    rows_a_batch: int
    memory_bytes: int


def measure(*, quick: bool) -> Report:
    """Measure all three under each tariff, the runs of one after those of the other."""
    size = QUICK_SIZE if quick else FULL_SIZE
    report = Report("pricing", f"Readings to committed debits, median of {size.runs} runs")
    for name, tariff in TARIFFS.items():
        with standing() as stand:
            report.rows.append(_measured(stand, name, tariff, size))
    full = next(row for row in report.rows if row.name == FULL)
    report.figures |= full.figures
    rates = {row.name: float(row.figures["readings_per_s"]) for row in report.rows}
    report.bars = (
        "a second",
        rates
        | {
            "ceiling": float(full.figures["ceiling_rows_per_s"]),
            "library": float(full.figures["library_events_per_s"]),
        },
    )
    return report


def measure_ceiling(*, quick: bool) -> Report:
    """Measure the ceiling alone, of rows that a short run of the worker writes."""
    size = QUICK_SIZE if quick else FULL_SIZE
    with standing() as stand:
        found(stand.connection, meters=size.meters, tariff=EVERYTHING)
        priced = priced_run(stand, Load(size.meters), rounds=size.rounds)
        rates = [ceiling(stand, priced, f"ceiling_{run}") for run in range(size.runs)]
    report = Report("ceiling", "What PostgreSQL takes of the rows that pricing writes")
    report.figures |= {"rows_per_s": statistics.median(rates), "rows_a_batch": priced.rows_a_batch}
    return report


def measure_library(*, quick: bool) -> Report:
    """Measure the library's own way alone."""
    size = QUICK_SIZE if quick else FULL_SIZE
    with standing() as stand:
        found(stand.connection, meters=size.meters, tariff=EVERYTHING)
        priced = priced_run(stand, Load(size.meters), rounds=size.rounds)
        rates = [library(stand, priced.rows, f"library_{run}") for run in range(size.runs)]
    report = Report("library", "The same debits through the library's own recorder")
    report.figures |= {"events_per_s": statistics.median(rates)}
    return report


def _measured(stand: Stand, name: str, tariff: str, size: Size) -> Row:
    found(stand.connection, meters=size.meters, tariff=tariff)
    load = Load(size.meters)
    alone, pricings, ceilings, libraries = [], [], [], []
    for run in range(size.runs):
        alone.append(priced_run(stand, load, rounds=size.rounds).readings_per_s)
        priced = priced_run(stand, load, rounds=size.rounds, workers=WORKERS)
        pricings.append(priced.readings_per_s)
        ceilings.append(ceiling(stand, priced, f"ceiling_{run}"))
        libraries.append(library(stand, priced.rows, f"library_{run}"))
    single, pricing, top, saved = (statistics.median(rates) for rates in (alone, pricings, ceilings, libraries))
    return Row(
        name,
        {
            "readings_per_s": pricing,
            "workers": WORKERS,
            "ceiling_rows_per_s": top,
            "library_events_per_s": saved,
            "ratio_to_ceiling": pricing / top,
            "ratio_to_library": pricing / saved,
            "one_worker_per_s": single,
            "one_worker_ratio_to_ceiling": single / top,
            "rows_a_batch": priced.rows_a_batch,
            "bytes_a_debit": sum(len(row.state) for row in priced.rows) // len(priced.rows),
        },
    )


def priced_run(stand: Stand, load: Load, *, rounds: int, workers: int = 1) -> Priced:
    """Publish so many rounds to workers that have their partitions already; return their rate and their rows."""
    before = stand.head()
    worked = worked_through(stand, load, rounds=rounds, workers=workers)
    rows = written(stand.connection, after=before)
    return Priced(
        worked.readings_per_s, rows, max(1, round(worked.readings / max(worked.batches, 1))), worked.memory_bytes
    )


def worked_through(stand: Stand, load: Load, *, rounds: int, workers: int = 1, first_rounds: int = 0) -> Worked:
    """Publish so many rounds, let workers that have their partitions already price them, and count what came of it.

    Of `first_rounds` before them the workers learn the meters. Raises BenchmarkFailed where not every reading led to
    a debit.
    """
    # A group of its own each time: Tansu may be stuck for minutes with one that all its members have just left.
    group = f"bench-{next(_GROUPS)}"
    for number in range(1, workers + 1):
        stand.launch("price", number, WATTLEDGER_KAFKA_GROUP=group)
    stand.stack.await_healthy()
    first = _priced(stand, load, first_rounds) if first_rounds else None
    pace = _priced(stand, load, rounds)
    readings = pace.total
    batches, memory_bytes = 0.0, stand.memory_bytes("price")
    for number in range(1, workers + 1):
        batches += stand.metric("price", "wattledger_batch_messages_count", number=number)
        stand.stop("price", number=number)
    return Worked(readings, pace.per_s, batches, memory_bytes, first)


def _priced(stand: Stand, load: Load, rounds: int) -> Pace:
    before, messages = stand.head(), list(load.sweeps(rounds))
    readings = asyncio.run(publish(stand.stack.bootstrap, messages))
    pace = paced(stand.head, until=before + readings, check=stand.stack.supervisor.check)
    debits = stand.number(
        "SELECT count(*) FROM ledger.events WHERE notification_id > %s AND topic = 'meter.usage-debited/1'", (before,)
    )
    if debits != readings or stand.head() != before + readings:
        raise BenchmarkFailed(
            f"{readings} readings led to {stand.head() - before} events, {debits} of them debits; it must be one each"
        )
    return pace


def written(connection: Connection[Any], *, after: int) -> list[StoredEvent]:
    """Return the rows that stand after a position, in order."""
    query = """SELECT originator_id, originator_version, topic, state FROM ledger.events
        WHERE notification_id > %s ORDER BY notification_id"""
    with connection.transaction(), connection.cursor("written", row_factory=tuple_row) as cursor:
        cursor.execute(query, (after,))
        return [StoredEvent(stream, version, topic, bytes(state)) for stream, version, topic, state in cursor]


def ceiling(stand: Stand, priced: Priced, database: str) -> float:
    """Write the rows of a run with nothing but PostgreSQL's work timed; return rows a second."""
    batches = [
        priced.rows[first : first + priced.rows_a_batch] for first in range(0, len(priced.rows), priced.rows_a_batch)
    ]
    head, laid = 0, []
    for batch in batches:
        laid.append((laid_out(batch).at(head + 1), len(batch)))
        head += len(batch)
    partition = Partition("bench", wire.METER_READINGS, 0)
    with stand.fresh_database(database) as connection:
        began = time.monotonic()
        for offset, (rows, count) in enumerate(laid):
            with gated(connection) as gate:
                with gate.cursor.copy(COPY_EVENTS) as copy:
                    copy.write(rows)
                gate.cursor.execute("UPDATE ledger.gate SET head = head + %s", (count,), prepare=True)
                move_positions(gate.cursor, {partition: Applied(offset, b"d" * 32)})
        elapsed_s = time.monotonic() - began
    stand.connection.execute(f"DROP DATABASE {database}")
    return len(priced.rows) / elapsed_s


class _PlainMapper(FactMapper):
    """Our bytes, without the check that our own way makes of what people enter."""

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """Return the event as it is stored."""
        return stored(domain_event)


class _LibraryApplication(Application[UUID]):
    env: ClassVar[dict[str, str]] = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "MAPPER_TOPIC": "benchmarks.pricing:_PlainMapper",
    }


def library(stand: Stand, rows: Sequence[StoredEvent], database: str) -> float:
    """Save the events of a run through the unmodified library; return events a second."""
    events = [
        Event(UUID(str(row.originator_id)), row.originator_version, fact_of(row.topic, row.state))
        for row in rows[:_LIBRARY_EVENTS]
    ]
    stand.connection.execute(f"CREATE DATABASE {database}")
    # Over TCP: five hundred of our events in one of its pipelines fill a unix socket's buffers, and both ends wait.
    application = _LibraryApplication({"POSTGRES_DBNAME": database, **stand.tcp_login()})
    try:
        began = time.monotonic()
        for first in range(0, len(events), _LIBRARY_EVENTS_A_SAVE):
            application.save(*events[first : first + _LIBRARY_EVENTS_A_SAVE])
        elapsed_s = time.monotonic() - began
    finally:
        application.close()
    stand.connection.execute(f"DROP DATABASE {database}")
    return len(events) / elapsed_s
