"""The polling schedule: buses in parallel and staggered, each sweep into the spool before anything else."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from collectors.errors import SpoolError
from collectors.metrics import CollectorMetrics
from collectors.spool import Spool, Spooled
from collectors.sweep import Sweeper
from ledger import wire

log = structlog.get_logger(__name__)

# The final sweep decides whether registers and ledger agree, so a meter that is silent is asked this often.
_FINAL_ATTEMPTS = 3


@dataclass(slots=True, kw_only=True)
class Poller:
    """Polls one concentrator on a fixed schedule until asked for its final sweep."""

    sweeper: Sweeper
    spool: Spool
    collector: str
    interval_s: float
    delay_s: float
    metrics: CollectorMetrics
    spooled: asyncio.Event
    _final: asyncio.Event = field(default_factory=asyncio.Event)

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
        await self._final_sweep()

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
        if readings:
            try:
                await asyncio.to_thread(self._keep, concentrator, readings)
            except SpoolError as error:
                # Cumulative registers: what this sweep would have said, the next one says too.
                self.metrics.read_failures.labels(concentrator, "spool").inc(len(readings))
                log.error("sweep not kept", concentrator=concentrator, error=str(error))
                return 0
            self.metrics.sweeps_spooled.labels(concentrator).inc()
            self.spooled.set()
        return len(readings)

    def _keep(self, concentrator: str, readings: list[wire.Reading]) -> None:
        sequence = self.spool.next_sequence(concentrator)
        sweep = wire.Sweep(concentrator=concentrator, collector=self.collector, sequence=sequence, readings=readings)
        self.spool.append(Spooled(concentrator=concentrator, sequence=sequence, message=wire.encode(sweep)))
