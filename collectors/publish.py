"""From the spool to `meter-readings`: in sequence, a bounded window in flight, until the ledger acknowledges."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Protocol

import structlog

from collectors.errors import LinkLost, SpoolError, SpoolUnusable
from collectors.metrics import CollectorMetrics
from collectors.settings import PublishSettings
from collectors.side_by_side import end, uncancelled
from collectors.spool import Spooled
from collectors.window import Window
from ledger import wire

log = structlog.get_logger(__name__)

# Gives one message to the broker and returns when the broker has it: topic, key, message.
Send = Callable[[str, bytes, bytes], Awaitable[None]]
_TICK_S = 0.25
# The ledger may be away for long: then ever longer pauses between new connections, up to this many times.
_SILENCE_FACTOR_MAX = 16


class SweepSource(Protocol):
    """Where sweeps wait for their acknowledgement: the spool, or an import's file in memory."""

    def after(self, concentrator: str, sequence: int, *, limit: int) -> list[Spooled]:
        """Return the sweeps above a sequence, in order."""

    def forget(self, concentrator: str, *, through: int) -> int:
        """Delete what an acknowledgement covers; returns how many sweeps that were."""

    def first_kept(self, concentrator: str) -> int:
        """Return the lowest sequence kept, or the next one to be given if none is."""

    def last_sequence(self, concentrator: str) -> int:
        """Return the highest sequence ever given."""


class Publisher:
    """Publishes one collector's sweeps of its concentrators, over as many connections as it takes."""

    def __init__(
        self,
        *,
        source: SweepSource,
        collector: str,
        concentrators: Iterable[str],
        settings: PublishSettings,
        metrics: CollectorMetrics,
    ) -> None:
        self._source = source
        self.collector = collector
        self._settings = settings
        self._metrics = metrics
        self._heard_s = 0.0
        self._silence_factor = 1
        # Set whenever there may be something to do: a new sweep in the spool, or an acknowledgement.
        self.wake = asyncio.Event()
        self.windows: dict[str, Window] = {}
        self._filling: dict[str, asyncio.Task[None]] = {}
        for concentrator in concentrators:
            self.add(concentrator)

    def add(self, concentrator: str) -> None:
        """Publish a concentrator's sweeps too, from the first that is kept."""
        if concentrator not in self.windows:
            self.windows[concentrator] = Window.starting_at(
                self._source.first_kept(concentrator) - 1,
                size=self._settings.window,
                timeout_s=self._settings.ack_timeout_s,
                timeout_max_s=self._settings.ack_timeout_max_s,
            )

    async def run(self, send: Send) -> None:
        """Publish over one connection, from the first sweep that is not acknowledged, until it fails.

        Raises LinkLost when the ledger stays silent for so long that our place in its acknowledgements is in
        doubt, and whatever `send` raises.
        """
        clock = asyncio.get_running_loop().time
        self._heard_s = clock()
        for window in self.windows.values():
            window.restart()
        try:
            while True:
                self.wake.clear()
                for concentrator, window in list(self.windows.items()):
                    self._fill_aside(concentrator, window, send)
                    if window.tick(now_s=clock()):
                        self.wake.set()
                        self._metrics.sweeps_repeated.inc()
                        log.warning("no acknowledgement", concentrator=concentrator, first=window.acknowledged + 1)
                self._check_silence(clock())
                await self._woken()
        finally:
            await end(self._filling.values())
            self._filling.clear()

    def _fill_aside(self, concentrator: str, window: Window, send: Send) -> None:
        """Let a concentrator's window be filled beside the others': one slow partition holds up nobody else.

        Raises what the last filling raised.
        """
        task = self._filling.get(concentrator)
        if task is not None and not task.done():
            return
        if task is not None:
            del self._filling[concentrator]
            task.result()
        if window.room > 0 and self._source.last_sequence(concentrator) > window.published:
            task = asyncio.create_task(uncancelled(self._fill(concentrator, window, send)))
            task.add_done_callback(lambda _: self.wake.set())
            self._filling[concentrator] = task

    async def take_ack(self, ack: wire.SweepAck) -> None:
        """Take in an acknowledgement; those of other collectors are passed over.

        Raises SpoolUnusable when the ledger has sweeps of ours that this spool never made.
        """
        window = self.windows.get(ack.concentrator)
        if window is None or ack.collector != self.collector:
            return
        clock = asyncio.get_running_loop().time
        self._heard_s, self._silence_factor = clock(), 1
        last = self._source.last_sequence(ack.concentrator)
        if ack.sequence > last:
            raise SpoolUnusable(
                f"the ledger has sweep {ack.sequence} of {ack.concentrator} from {self.collector}, but this spool "
                f"has made {last} only: it is an old copy, to be set aside for a new one with a new epoch"
            )
        if ack.sequence < window.acknowledged:
            # Once or twice after a start this is an old message; without end it is a ledger that has forgotten.
            log.warning(
                "the ledger is behind the spool",
                concentrator=ack.concentrator,
                applied=ack.sequence,
                forgotten_through=window.acknowledged,
            )
        repeats = window.repeats
        if window.acked(ack.sequence, now_s=clock()):
            await self._forget(ack.concentrator, ack.sequence)
        self._metrics.sweeps_repeated.inc(window.repeats - repeats)
        self.wake.set()

    async def _forget(self, concentrator: str, sequence: int) -> None:
        try:
            forgotten = await asyncio.to_thread(self._source.forget, concentrator, through=sequence)
        except SpoolUnusable:
            raise
        except SpoolError as error:
            # A disk too full to forget on: the next acknowledgement covers this one.
            log.error("acknowledged sweeps not forgotten", concentrator=concentrator, error=str(error))
        else:
            self._metrics.sweeps_acknowledged.inc(forgotten)

    async def _fill(self, concentrator: str, window: Window, send: Send) -> None:
        if window.room <= 0:
            return
        first = window.published
        sweeps = await asyncio.to_thread(self._source.after, concentrator, first, limit=window.room)
        for spooled in sweeps:
            # An acknowledgement that came meanwhile may have moved the window: then the rest is looked up anew.
            if spooled.sequence != window.published + 1:
                self.wake.set()
                return
            # Noted before it is sent: its acknowledgement may be quicker than the broker's own answer.
            window.sent(spooled.sequence, now_s=asyncio.get_running_loop().time())
            await send(wire.METER_READINGS, concentrator.encode(), spooled.message)
            self._metrics.sweeps_published.inc()

    def _check_silence(self, now_s: float) -> None:
        # After a tick nothing is outstanding for a moment; `went_back` says that an answer is still owed.
        if not any(window.outstanding or window.went_back for window in self.windows.values()):
            self._heard_s = now_s
        silence_s = self._settings.link_silence_s * self._silence_factor
        if now_s - self._heard_s > silence_s:
            self._silence_factor = min(self._silence_factor * 2, _SILENCE_FACTOR_MAX)
            raise LinkLost(f"nothing was acknowledged for {silence_s:g} s; is the ledger running?")

    async def _woken(self) -> None:
        # Not `wait_for`, here and elsewhere: on Python 3.11 it swallows a cancellation that comes with the event.
        with suppress(TimeoutError):
            async with asyncio.timeout(_TICK_S):
                await self.wake.wait()
