"""What pricing a reading costs, from the decoded sweep to the stored event, without Kafka and PostgreSQL."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from eventsourcing.persistence import StoredEvent

from benchmarks.priced_tariffs import TARIFFS
from benchmarks.report import Report, Row
from ledger import wire
from ledger.domain.meter import Source
from ledger.domain.metering import Draft, Metering, take_register
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import MeterInstalled, SupplyOccupied, SupplyRegistered, TermsAssigned
from ledger.domain.tariff import TariffPublished
from ledger.rating.lines import Counters
from ledger.rating.rate import compile_tariff, rate
from ledger.rating.segment import segment
from ledger.rating.tariff import parse_tariff
from ledger.store.copying import Rows
from ledger.store.mapper import stored

READINGS = 5_000
START = datetime(2026, 3, 1, tzinfo=UTC)
STEP = timedelta(seconds=10)
OPENING_MILLIWH = 1_000_000
ENCODE = "encode the event"


@dataclass(frozen=True, slots=True)
class Figure:
    """A step's median time per reading, and its ratio to encoding the debit's event in the same run."""

    name: str
    microseconds: float
    ratio_to_encoding: float


def report(*, quick: bool) -> Report:
    """Tell each step's time, and its ratio to encoding the debit's event."""
    runs = 2 if quick else 5
    found = Report("core", f"Pricing core: median of {runs} runs, one core")
    for figure in measure(runs=runs):
        figures = {
            "microseconds": figure.microseconds,
            "per_s": 1e6 / figure.microseconds,
            "ratio_to_encoding": figure.ratio_to_encoding,
        }
        found.rows.append(Row(figure.name, figures))
    return found


def measure(*, runs: int) -> list[Figure]:
    """Measure each step several times over, under each tariff, and return the medians."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(runs):
        for tariff, text in TARIFFS.items():
            for step, microseconds in _run(text).items():
                times.setdefault((tariff, step), []).append(microseconds)
    medians = {key: statistics.median(values) for key, values in times.items()}
    return [
        Figure(f"{tariff}: {step}", value, value / medians[tariff, ENCODE])
        for (tariff, step), value in medians.items()
    ]


def _run(text: str) -> dict[str, float]:
    snapshot = _snapshot(text)
    supply = snapshot.supplies["room"]
    readings = [
        wire.RegisterReading(
            meter="m", read_at=START + STEP * number, import_milliwh=OPENING_MILLIWH + 10_000 * number, raw="0001e240"
        )
        for number in range(1, READINGS + 1)
    ]
    sweep = wire.encode(
        wire.Sweep(
            concentrator="c",
            collector="e",
            sequence=1,
            readings=[wire.Reading(register=reading) for reading in readings[:100]],
        )
    )
    source = Source(0, 1, START + STEP * (READINGS + 1), "e", 1)
    draft, metering = Draft(snapshot, START), Metering()

    def price() -> None:
        for reading in readings:
            take_register(draft, metering, supply, reading, source)

    priced = _timed(price)
    if len(draft.events) != READINGS:
        raise AssertionError(f"{len(draft.events)} events of {READINGS} readings: this measures something else")
    return {
        "decode the sweep": _timed(lambda: [wire.decode_meter_message(sweep) for _ in range(READINGS // 100)]),
        "segment and rate": _rated(text, readings),
        "judge, segment, rate, post": priced,
        ENCODE: _timed(lambda: [stored(event) for event in draft.events]),
        "lay out for COPY": _timed(lambda: _laid_out(draft).at(1)),
    }


def priced_debits(text: str, *, count: int = 200) -> list[StoredEvent]:
    """Return stored debits as this tariff prices them, for whoever needs events that look like real ones."""
    snapshot = _snapshot(text)
    draft, metering = Draft(snapshot, START), Metering()
    source = Source(0, 1, START + STEP * (count + 1), "e", 1)
    for number in range(1, count + 1):
        reading = wire.RegisterReading(
            meter="m", read_at=START + STEP * number, import_milliwh=OPENING_MILLIWH + 10_000 * number, raw="0001e240"
        )
        take_register(draft, metering, snapshot.supplies["room"], reading, source)
    return [stored(event) for event in draft.events]


def _laid_out(draft: Draft) -> Rows:
    rows = Rows()
    for event in draft.events:
        rows.add_fact(event.originator_id, event.originator_version, event.fact.topic, event.fact)
    return rows


def _rated(text: str, readings: list[wire.RegisterReading]) -> float:
    """Return the time that rating alone takes: from a span of usage to lines and counters."""
    compiled = compile_tariff(parse_tariff(text), version=1)
    days = compiled.days
    counters = Counters()

    def work() -> None:
        nonlocal counters
        start = START
        for reading in readings:
            atoms = segment(start=start, end=reading.read_at, energy_milliwh=10_000, zone=days.zone, days=days)
            counters = rate(compiled, counters, atoms).counters
            start = reading.read_at

    return _timed(work)


def _timed(work: Callable[[], object]) -> float:
    """Return the time of some work in microseconds per reading."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) / READINGS * 1e6


def _snapshot(text: str) -> PricingSnapshot:
    snapshot = PricingSnapshot()
    for fact in (
        TariffPublished(tariff="flat", version=1, effective_from=START, text=text, note="", recorded_at=START),
        SupplyRegistered(supply="room", site="s", concentrator="c", recorded_at=START),
        MeterInstalled(
            supply="room",
            meter="m",
            profile="p",
            installed_at=START,
            opening_milliwh=OPENING_MILLIWH,
            max_power_w=20_000,
            modulus_milliwh=2**32 * 10_000,
            resolution_milliwh=10_000,
            recorded_at=START,
        ),
        TermsAssigned(supply="room", tariff="flat", effective_from=START, recorded_at=START),
        SupplyOccupied(
            supply="room", account="a", occupied_from=START, opening_milliwh=OPENING_MILLIWH, recorded_at=START
        ),
    ):
        snapshot.apply(fact)
    return snapshot
