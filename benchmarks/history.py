"""`history`: what a long history costs: loading a supply point for pricing, replaying and exporting its account.

Each figure is taken on an account of a few debits and on one of a million, in one database.
"""

import statistics
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from psycopg import Connection

from benchmarks.report import Report, Row
from benchmarks.stand import Stand, standing
from ledger.domain.account import AccountOpened
from ledger.domain.event import Event, Fact
from ledger.domain.meter import MeterState, Source, UsageDebited
from ledger.domain.postings import debit_postings
from ledger.rating.lines import Counters, Line
from ledger.store.application import Ledger
from ledger.store.log import newest_of
from ledger.store.mapper import stored
from ledger.values.identity import account_stream, meter_stream, reading_id
from ledger.values.instants import parse_instant
from projections import books
from projections.exports.export import export
from projections.project import project_next, register
from projections.replay import asked, replay

_SHORT = 10
_LOADS = 2_000
_AT = parse_instant("2026-07-01T06:00:00+00:00")
_LOOK_EVERY = 5_000

# As if the ledger had written them: positions without a gap, and the gate's head behind the last.
_FILL = """
INSERT INTO ledger.events (originator_id, originator_version, topic, state, notification_id)
SELECT %(stream)s, n, %(topic)s, %(state)s, %(head)s + n FROM generate_series(1, %(events)s) AS n
"""


@dataclass(frozen=True, slots=True)
class Streamed:
    """Reading all of a history: events a second, and by how much the process grew on the way."""

    per_s: float
    grown_mib: float


def measure(*, quick: bool) -> Report:
    """Fill two histories, project the books, then load, replay and export both."""
    events = 100_000 if quick else 1_000_000
    report = Report("history", f"An account of {_SHORT} debits, and one of {events:,}")
    with standing() as stand:
        for name, count in (("short", _SHORT), ("long", events)):
            _fill(stand, name, count)
        began = perf_counter()
        _project(stand.connection)
        report.figures["books_projected_events_per_s"] = (events + _SHORT) / (perf_counter() - began)
        loads = {name: _load_us(stand.connection, name) for name in ("short", "long")}
        told = {name: _streamed(replay(stand.connection, asked(stand.connection, account=name))) for name in loads}
        exports = {name: _exported_per_s(stand.connection, name, count) for name, count in (("long", events),)}
    for name, load_us in loads.items():
        figures = {"load_us": load_us, "replayed_per_s": told[name].per_s, "grown_mib": told[name].grown_mib}
        report.rows.append(Row(name, figures))
    report.figures["load_long_to_short_ratio"] = loads["long"] / loads["short"]
    report.figures["exported_events_per_s"] = exports["long"]
    return report


def _fill(stand: Stand, name: str, events: int) -> None:
    fact = _debit(name)
    with Ledger(url=stand.url) as ledger:
        opened = AccountOpened(account=name, site="bench", currency="EUR", recorded_at=_AT)
        head = ledger.append(Event(account_stream(name), 1, opened))
    stream = meter_stream(name)
    state = stored(Event(stream, 1, fact)).state
    filling = {"stream": stream, "topic": fact.topic, "state": state, "head": head, "events": events}
    with stand.connection.transaction():
        stand.connection.execute(_FILL, filling)
        stand.connection.execute("UPDATE ledger.gate SET head = %s", (head + events,))
    stand.connection.execute("VACUUM ANALYZE ledger.events")


def _debit(name: str) -> Fact:
    lines = [
        Line(
            component="energy", quantity="0.014", unit="kWh", price="0.617", amount_micros=8_638, tariff="flat",
            version=1, rule="energy used",
        ),
        Line(
            component="vat", quantity="0.008638", unit="%", price="13", amount_micros=1_123, tariff="flat", version=1,
            tax=True, rule="13% of energy",
        ),
    ]  # fmt: skip
    counters = Counters(period="2026-07", energy_milliwh=14_000_000, denominator=1_000_000_000, charges={"energy": 9})
    return UsageDebited(
        supply=name,
        account=name,
        meter=f"meter-{name}",
        reading=reading_id(meter=name, registers="import", read_at=_AT),
        started_at=_AT,
        ended_at=_AT,
        opening_milliwh=100_000_000,
        closing_milliwh=100_014_000,
        usage_milliwh=14_000,
        quality="measured",
        profile="acrel_ddsy1352",
        raw="0000989a",
        before=counters,
        lines=lines,
        amount_micros=9_761,
        postings=debit_postings(account=name, lines=lines),
        source=Source(0, 1, _AT, "edge-1", 1),
        state=MeterState(meter=f"meter-{name}", account=name, billed_to=_AT, counters=counters),
        recorded_at=_AT,
    )


def _project(connection: Connection[Any]) -> None:
    register(connection, models=[books.MODEL])
    while project_next(connection, models=[books.MODEL], limit=5_000):
        pass
    connection.execute("VACUUM ANALYZE projections.account_entries")


def _load_us(connection: Connection[Any], name: str) -> float:
    """Return the median time in µs to load all that pricing needs of a supply point."""
    taken = []
    for _ in range(_LOADS):
        began = perf_counter()
        found = newest_of(connection, streams=[meter_stream(name)])
        taken.append(perf_counter() - began)
        if len(found) != 1:
            raise AssertionError("a filled stream has a newest event")
    return statistics.median(taken) * 1e6


def _streamed(steps: Iterable[object]) -> Streamed:
    began, first_kib, most_kib, count = perf_counter(), 0, 0, 0
    for count, _ in enumerate(steps, 1):
        if count == 1 or count % _LOOK_EVERY == 0:
            most_kib = max(most_kib, _resident_kib())
            first_kib = first_kib or most_kib
    return Streamed(count / (perf_counter() - began), (most_kib - first_kib) / 1024)


def _exported_per_s(connection: Connection[Any], name: str, events: int) -> float:
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-") as directory:
        began = perf_counter()
        export(connection, form="jsonl", directory=Path(directory) / "out", account=name)
        return events / (perf_counter() - began)


def _resident_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])
