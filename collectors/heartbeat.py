"""Heartbeats: how a collector and each of its concentrators fare, told beside the sweeps and never spooled."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from collectors.poll import Poller
from collectors.publish import Send
from collectors.spool import Spool
from ledger import wire


@dataclass(slots=True, kw_only=True)
class HeartbeatSender:
    """Tells the office of every concentrator, at once when the broker is reached and then in intervals."""

    collector: str
    spool: Spool
    pollers: Callable[[], Sequence[Poller]]
    interval_s: float
    now: Callable[[], datetime]

    async def run(self, send: Send) -> None:
        """Send over one connection until it fails."""
        while True:
            for beat in await asyncio.to_thread(self.beats):
                await send(wire.RELAY_RESULTS, beat.concentrator.encode(), wire.encode(beat))
            await asyncio.sleep(self.interval_s)

    def beats(self) -> list[wire.Heartbeat]:
        """Return how each concentrator fares now."""
        sweeps, oldest_s = self.spool.sweeps_kept(), int(self.spool.oldest_age_s())
        sweepers = [poller.sweeper for poller in self.pollers()]
        return [
            wire.Heartbeat(
                collector=self.collector,
                concentrator=sweeper.concentrator.id,
                at=self.now(),
                meters=len(sweeper.concentrator.meters),
                failing=len(sweeper.failing),
                spool_sweeps=sweeps,
                spool_oldest_s=oldest_s,
            )
            for sweeper in sweepers
        ]
