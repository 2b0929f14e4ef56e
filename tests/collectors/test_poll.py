"""What a poller keeps of a sweep: only what the ledger can read; a message that it cannot would stop all after it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from collectors.metrics import CollectorMetrics
from collectors.poll import Poller
from collectors.site import Concentrator
from collectors.spool import Spool
from ledger import wire
from tests.collectors.builders import NOON, a_site, serial_of


@dataclass(slots=True)
class SweeperOf:
    """A sweeper that always brings the same readings."""

    concentrator: Concentrator
    readings: list[wire.Reading]
    failing: set[str] = field(default_factory=set)

    async def sweep(self, *, all_meters: bool = False) -> list[wire.Reading]:
        return self.readings


def _reading(meter: str, *, import_milliwh: int = 5, read_at: datetime = NOON) -> wire.Reading:
    return wire.Reading(
        register=wire.RegisterReading(meter=meter, read_at=read_at, import_milliwh=import_milliwh, profile="p")
    )


def _kept(directory: Path, readings: list[wire.Reading]) -> tuple[list[wire.Sweep], CollectorMetrics]:
    spool, metrics = Spool(directory / "spool"), CollectorMetrics()
    poller = Poller(
        sweeper=SweeperOf(a_site(directory, meters_each=2).concentrators[0], readings),
        spool=spool,
        collector="edge-1",
        interval_s=60,
        delay_s=0,
        metrics=metrics,
        spooled=asyncio.Event(),
    )
    poller.finish()
    asyncio.run(poller.run())
    messages = [wire.decode_meter_message(kept.message) for kept in spool.after("C1", 0, limit=10)]
    spool.close()
    return [message for message in messages if isinstance(message, wire.Sweep)], metrics


def _dropped(metrics: CollectorMetrics) -> float:
    labels = {"concentrator": "C1", "reason": "unsendable"}
    return metrics.registry.get_sample_value("wattledger_read_failures_total", labels) or 0.0


def test_a_sweep_that_can_be_read_is_kept_as_it_is(tmp_path: Path) -> None:
    readings = [_reading(serial_of(1)), _reading(serial_of(2))]
    (sweep,), metrics = _kept(tmp_path, readings)
    assert sweep.readings == readings
    assert _dropped(metrics) == 0


def test_a_reading_that_the_ledger_could_not_read_leaves_the_sweep_and_is_counted(tmp_path: Path) -> None:
    good = _reading(serial_of(1))
    sweeps, metrics = _kept(
        tmp_path,
        [
            _reading(serial_of(2), import_milliwh=2**63),
            good,
            _reading("x" * 201),
            _reading("\ud800"),
            _reading("nul\0"),
            _reading(serial_of(2), read_at=NOON.replace(tzinfo=None)),
        ],
    )
    assert [sweep.readings for sweep in sweeps] == [[good]] * 3  # a final sweep with gaps is tried three times
    assert [sweep.sequence for sweep in sweeps] == [1, 2, 3]
    assert _dropped(metrics) == 15


def test_a_sweep_of_nothing_readable_takes_no_sequence(tmp_path: Path) -> None:
    sweeps, metrics = _kept(tmp_path, [_reading(serial_of(1), import_milliwh=2**64)])
    assert sweeps == []
    assert _dropped(metrics) == 3
