"""Interval readings: their identity, what may be wrong with one, and the spans that are billed already."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from ledger.domain import registers
from ledger.domain.judging import FUTURE_TOLERANCE, Bad, Judging, allowance_milliwh
from ledger.domain.snapshot import Price
from ledger.domain.supply import MeterInstalled
from ledger.values.energy import text_from_milliwh
from ledger.values.errors import LedgerError
from ledger.values.identity import interval_id
from ledger.wire import IntervalReading

if TYPE_CHECKING:
    from ledger.domain.billed import BilledHistory

Spans = tuple[tuple[int, int], ...]


class HistoryNeeded(LedgerError):
    """What was billed must be looked up: these readings, or all that reaches beyond an instant."""

    def __init__(self, supply: str, readings: tuple[UUID, ...] = (), *, beyond: datetime | None = None) -> None:
        super().__init__(f"supply {supply}: look up what was billed")
        self.supply = supply
        self.readings = readings
        self.beyond = beyond

    def is_met_by(self, history: "BilledHistory") -> bool:
        """Tell whether a history holds what is needed."""
        if self.beyond is not None:
            return history.reaches(self.beyond)
        return all(history.knows(reading) for reading in self.readings)


def identity(reading: IntervalReading) -> UUID:
    """Return an interval's business identity, from its meter, its length and its start."""
    return interval_id(meter=reading.meter, start=reading.start, end=reading.end)


def judged(
    *, reading: IntervalReading, meter: MeterInstalled, published_at: datetime, prices: Sequence[Price]
) -> Bad | None:
    """Say what is wrong with an interval by itself; None where nothing is. `prices` say what else it must give."""
    energy = reading.import_milliwh
    if reading.end <= reading.start:
        return Bad("out-of-range", f"the interval ends at {reading.end.isoformat()}, not after its start", energy)
    if reading.start.microsecond or reading.end.microsecond:
        return Bad("out-of-range", "the interval does not begin and end at whole seconds", energy)
    if reading.end > published_at + FUTURE_TOLERANCE:
        detail = f"ends at {reading.end.isoformat()}, published {published_at.isoformat()}"
        return Bad("in-the-future", detail, energy)
    if energy < 0:
        return Bad("out-of-range", f"{text_from_milliwh(energy)} kWh is negative")
    allowance = allowance_milliwh(meter, reading.end - reading.start)
    if energy > allowance:
        allowed = f"{meter.max_power_w} W allow {text_from_milliwh(allowance)} kWh"
        return Bad("leap", f"{text_from_milliwh(energy)} kWh, but {allowed}", energy)
    return registers.judged_interval(reading, Judging(meter, reading.start, allowance), prices)


def contradiction(billed_milliwh: int | None, reading: IntervalReading) -> Bad:
    """Say how an interval that overlaps billed spans contradicts them."""
    energy = reading.import_milliwh
    if billed_milliwh is None:
        return Bad("overlapping", "part of this interval is billed already, under other bounds", energy)
    billed, now = text_from_milliwh(billed_milliwh), text_from_milliwh(energy)
    return Bad("conflicting", f"this interval was billed with {billed} kWh, now it says {now} kWh", energy)


def overlaps(covered: Spans, reading: IntervalReading) -> bool:
    """Tell whether part of an interval is billed already."""
    start, end = _epoch_s(reading)
    return any(begin < end and start < finish for begin, finish in covered)


def covering(covered: Spans, reading: IntervalReading | None) -> Spans:
    """Return the spans with an interval added, merged where they touch."""
    if reading is None:
        return covered
    merged: list[tuple[int, int]] = []
    for begin, finish in sorted((*covered, _epoch_s(reading))):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], finish))
        else:
            merged.append((begin, finish))
    return tuple(merged)


def _epoch_s(reading: IntervalReading) -> tuple[int, int]:
    return int(reading.start.timestamp()), int(reading.end.timestamp())
