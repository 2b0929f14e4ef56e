"""The polling schedule: buses in parallel and staggered, each sweep into the spool before anything else."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from collectors.errors import SpoolError, Unsendable
from collectors.metrics import CollectorMetrics
from collectors.sendable import message_of, parts_of, sendable_part
from collectors.site import Concentrator
from collectors.spool import Spool, Spooled
from ledger import wire

log = structlog.get_logger(__name__)

# The final sweep decides whether registers and ledger agree, so a meter that is silent is asked this often.
_FINAL_ATTEMPTS = 3


class ReadsMeters(Protocol):
    """What polls: a pass over one concentrator's meters."""

    concentrator: Concentrator
    # The serials that brought no reading when they were last asked.
    failing: set[str]

    async def sweep(self, *, all_meters: bool = False) -> list[wire.Reading]:
        """Read the meters; the readings are in read order."""


@dataclass(slots=True, kw_only=True)
class Poller:
    """Polls one concentrator on a fixed schedule until asked for its final sweep."""

    sweeper: ReadsMeters
    spool: Spool
    collector: str
    interval_s: float
    delay_s: float
    metrics: CollectorMetrics
    spooled: asyncio.Event
    is_full: Callable[[], bool] = lambda: False
    _final: asyncio.Event = field(default_factory=asyncio.Event)
    _stopped: bool = False

    def finish(self) -> None:
        """Ask for one final sweep of all meters, after which `run` returns."""
        self._final.set()

    async def run(self) -> None:
        """Poll at start + delay + n × interval; a sweep that takes longer skips what it missed."""
        clock = asyncio.get_running_loop().time
        due_s = clock() + self.delay_s
        while not await self._final_asked(within_s=due_s - clock()):
            await self._sweep(all_meters=False)
            due_s += self.interval_s * max(1, -(-(clock() - due_s) // self.interval_s))
        if not self._stopped:
            await self._final_sweep()

    def stop(self) -> None:
        """Ask `run` to return after the sweep under way, without a final one."""
        self._stopped = True
        self._final.set()

    async def _final_asked(self, *, within_s: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, within_s)):
                await self._final.wait()
        return self._final.is_set()

    async def _final_sweep(self) -> None:
        for _ in range(_FINAL_ATTEMPTS):
            if await self._sweep(all_meters=True) == len(self.sweeper.concentrator.meters):
                return
        log.error("the final sweep has gaps", concentrator=self.sweeper.concentrator.id)

    async def _sweep(self, *, all_meters: bool) -> int:
        concentrator = self.sweeper.concentrator.id
        with self.metrics.poll_seconds.labels(concentrator).time():
            readings = await self.sweeper.sweep(all_meters=all_meters)
        kept = 0
        if readings:
            try:
                kept = await asyncio.to_thread(self._keep, concentrator, readings)
            except SpoolError as error:
                # Cumulative registers: what this sweep would have said, the next one says too.
                self.metrics.read_failures.labels(concentrator, "spool").inc(len(readings))
                log.error("sweep not kept", concentrator=concentrator, error=str(error))
        if kept:
            self.metrics.sweeps_spooled.labels(concentrator).inc()
            self.spooled.set()
        return kept

    def _keep(self, concentrator: str, readings: list[wire.Reading]) -> int:
        """Put a sweep into the spool, less what the ledger could not read; returns how many readings it has."""
        if self.is_full():
            raise SpoolError("the spool is at its bound; it takes sweeps again once the ledger has taken old ones")
        kept = 0
        for part in parts_of(readings):
            kept += self._keep_part(concentrator, part)
        return kept

    def _keep_part(self, concentrator: str, readings: Sequence[wire.Reading]) -> int:
        sequence = self.spool.next_sequence(concentrator)
        sweep = wire.Sweep(
            concentrator=concentrator, collector=self.collector, sequence=sequence, readings=list(readings)
        )
        try:
            message = message_of(sweep)
        except Unsendable:
            sweep = self._less_unsendable(sweep)
            if not sweep.readings:
                return 0
            message = message_of(sweep)
        self.spool.append(Spooled(concentrator=concentrator, sequence=sequence, message=message))
        return len(sweep.readings)

    def _less_unsendable(self, sweep: wire.Sweep) -> wire.Sweep:
        sendable, dropped = sendable_part(sweep)
        self.metrics.read_failures.labels(sweep.concentrator, "unsendable").inc(len(dropped))
        for reading in dropped:
            log.error("reading dropped", concentrator=sweep.concentrator, meter=reading.meter, error=reading.problem)
        return sendable
