"""A site's pollers, one per concentrator; a site that changes is taken over without losing a sweep."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from collectors.daily_check import DailyCheck
from collectors.errors import BadFile
from collectors.listeners import Listeners
from collectors.metrics import CollectorMetrics
from collectors.modbus import Bus, Observe
from collectors.poll import Poller
from collectors.side_by_side import end
from collectors.site import Concentrator, Site
from collectors.site_lines import Terminal
from collectors.spool import Spool
from collectors.sweep import Sweeper


@dataclass(slots=True, kw_only=True)
class _Lane:
    """One concentrator being polled, by what of its site it depends on."""

    made_of: tuple[object, ...]
    poller: Poller
    task: "asyncio.Task[None] | None" = None


class Polling:
    """Polls every concentrator of a site; relay orders use the same buses."""

    def __init__(
        self,
        *,
        site: Site,
        spool: Spool,
        collector: str,
        metrics: CollectorMetrics,
        spooled: asyncio.Event,
        is_full: Callable[[], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._spool = spool
        self._collector = collector
        self._metrics = metrics
        self._spooled = spooled
        self._is_full = is_full
        self._now = now
        self.buses: dict[str, Bus] = {}
        self._units: dict[str, dict[int, str]] = {}
        self._reached: dict[str, tuple[object, ...]] = {}
        self._over: asyncio.Future[None] | None = None
        self._is_finishing = False
        self._lanes: dict[str, _Lane] = {}
        self._listeners = Listeners(site=site, metrics=metrics)
        self._add(site, site.concentrators)

    async def run(self) -> None:
        """Poll until `finish` was asked for and every final sweep is done; raises what a poller raises."""
        self._over = asyncio.get_running_loop().create_future()
        try:
            await self._listeners.start()
            for lane in self._lanes.values():
                self._start(lane)
            await self._over
        finally:
            await end([lane.task for lane in self._lanes.values() if lane.task is not None])
            await self._listeners.stop()

    def pollers(self) -> list[Poller]:
        """Return who polls now."""
        return [lane.poller for lane in self._lanes.values()]

    def finish(self) -> None:
        """Ask for one final sweep of every concentrator."""
        self._is_finishing = True
        for lane in self._lanes.values():
            lane.poller.finish()

    async def listen(self, site: Site) -> None:
        """Listen for a changed site's terminals; all that can be refused of a site is refused here.

        Raises BadFile once the final sweep was asked for, CollectorError where a port is taken.
        """
        if self._is_finishing:
            raise BadFile(path="the site file", errors=["polling has ended for good; restart the collector"])
        await self._listeners.take_over(site)

    async def take_over(self, site: Site) -> None:
        """Poll a changed site, after `listen`: what has changed ends with the sweep under way, the rest goes on."""
        wanted = {concentrator.id: _made_of(site, concentrator) for concentrator in site.concentrators}
        gone = {name: lane for name, lane in self._lanes.items() if wanted.get(name) != lane.made_of}
        for name, lane in gone.items():
            del self._lanes[name]
            lane.poller.stop()
        await asyncio.gather(*(lane.task for lane in gone.values() if lane.task is not None))
        for name in set(self.buses) - set(wanted):
            self.buses.pop(name).close()
            del self._reached[name]
        for lane in self._add(site, [c for c in site.concentrators if c.id not in self._lanes]):
            self._start(lane)

    def close(self) -> None:
        """Close every bus."""
        for bus in self.buses.values():
            bus.close()

    def _add(self, site: Site, concentrators: Iterable[Concentrator]) -> list[_Lane]:
        added = []
        for concentrator in concentrators:
            self._connect(site, concentrator)
            number = site.concentrators.index(concentrator)
            self._units[concentrator.id] = {meter.unit: meter.serial for meter in concentrator.meters}
            lane = _Lane(made_of=_made_of(site, concentrator), poller=self._poller(site, concentrator, number))
            self._lanes[concentrator.id] = lane
            added.append(lane)
        return added

    def _connect(self, site: Site, concentrator: Concentrator) -> None:
        """Make the concentrator's bus, or keep it where it is reached as before: an order may be at work on it."""
        timeout_s, pause_s = site.timeout_s(concentrator), site.pause_s(concentrator)
        reached = (concentrator.line, self._listeners.plan_of(concentrator), timeout_s, pause_s)
        if self._reached.get(concentrator.id) != reached:
            if concentrator.id in self.buses:
                self.buses[concentrator.id].close()
            line = self._listeners.line_to(concentrator)
            self.buses[concentrator.id] = Bus(
                line=line, timeout_s=timeout_s, pause_s=pause_s, observe=self._observer(concentrator)
            )
            self._reached[concentrator.id] = reached

    def _observer(self, concentrator: Concentrator) -> Observe:
        requests, seconds = self._metrics.requests, self._metrics.request_seconds.labels(concentrator.id)

        def observe(unit: int, outcome: str, took_s: float) -> None:
            meter = self._units[concentrator.id].get(unit, "")
            requests.labels(concentrator.id, meter, outcome).inc()
            seconds.observe(took_s)

        return observe

    def _poller(self, site: Site, concentrator: Concentrator, number: int) -> Poller:
        return Poller(
            sweeper=Sweeper(
                concentrator=concentrator,
                bus=self.buses[concentrator.id],
                retries=site.request_retries,
                metrics=self._metrics,
                now=self._now,
                daily=DailyCheck(concentrator=concentrator.id, metrics=self._metrics),
            ),
            spool=self._spool,
            collector=self._collector,
            interval_s=site.poll_interval_s,
            delay_s=site.poll_interval_s * number / len(site.concentrators),
            metrics=self._metrics,
            spooled=self._spooled,
            is_full=self._is_full,
        )

    def _start(self, lane: _Lane) -> None:
        if self._over is not None:
            lane.task = asyncio.create_task(lane.poller.run())
            lane.task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if self._over is None or self._over.done() or task.cancelled():
            return
        if (error := task.exception()) is not None:
            self._over.set_exception(error)
        elif self._is_finishing and all(lane.task is not None and lane.task.done() for lane in self._lanes.values()):
            self._over.set_result(None)


def _made_of(site: Site, concentrator: Concentrator) -> tuple[object, ...]:
    """Return all that a concentrator's polling depends on."""
    listener = concentrator.line.listener if isinstance(concentrator.line, Terminal) else ""
    listeners = tuple(plan for plan in site.listeners if plan.id == listener)
    timings = (site.poll_interval_s, site.timeout_s(concentrator), site.pause_s(concentrator), site.request_retries)
    return (concentrator, listeners, *timings)
