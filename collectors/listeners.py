"""A site's listeners: made and ended as the site file says, while terminals stay on those that did not change."""

import asyncio
from collections.abc import Callable, Sequence

from collectors.dial_in import DialIn, ListenerPlan
from collectors.errors import CollectorError
from collectors.lines import DialInLine, Line
from collectors.metrics import CollectorMetrics
from collectors.site import Concentrator, Site
from collectors.site_lines import Terminal

_LOOK_S = 0.05


class Listeners:
    """All ports that terminals dial in to."""

    def __init__(self, *, site: Site, metrics: CollectorMetrics) -> None:
        self._metrics = metrics
        self._plans = {plan.id: plan for plan in site.listeners}
        self._listeners = {plan.id: self._made(site, plan) for plan in site.listeners}

    async def start(self) -> None:
        """Begin to listen on every port; raises CollectorError where one is taken."""
        await _all_started([*self._listeners.values()])

    async def take_over(self, site: Site) -> None:
        """Listen as a changed site says; raises CollectorError where a new port is taken, with nothing changed."""
        wanted = {plan.id: plan for plan in site.listeners}
        gone = [name for name, plan in self._plans.items() if wanted.get(name) != plan]
        ours = {(plan.host, plan.port) for plan in self._plans.values()}
        made = {plan: self._made(site, plan) for plan in site.listeners if self._plans.get(plan.id) != plan}
        elsewhere = [listener for plan, listener in made.items() if (plan.host, plan.port) not in ours]
        await _all_started(elsewhere)
        stopped = [self._listeners[name] for name in gone]
        for listener in stopped:
            await listener.stop()
        try:
            await _all_started([listener for plan, listener in made.items() if (plan.host, plan.port) in ours])
        except CollectorError:
            # Somebody took the port in between. The old listeners come back, as far as their ports are still free.
            for listener in elsewhere:
                await listener.stop()
            await _all_started(stopped)
            raise
        for name in gone:
            del self._listeners[name]
        for name, listener in self._listeners.items():
            listener.know(_terminals(site, name))
        self._plans = wanted
        self._listeners |= {plan.id: listener for plan, listener in made.items()}

    async def stop(self) -> None:
        """Stop listening, hang up on every terminal."""
        for listener in self._listeners.values():
            await listener.stop()

    async def all_here(self, *, within_s: float) -> None:
        """Return as soon as every terminal that the site knows has dialled in, at the latest after `within_s`."""
        clock = asyncio.get_running_loop().time
        deadline_s = clock() + within_s
        while clock() < deadline_s and not all(listener.all_here for listener in self._listeners.values()):
            await asyncio.sleep(_LOOK_S)

    def line_to(self, concentrator: Concentrator) -> Line:
        """Return the way to a concentrator."""
        line = concentrator.line
        if isinstance(line, Terminal):
            return DialInLine(listener=self._listeners[line.listener], terminal=line.terminal)
        return line

    def plan_of(self, concentrator: Concentrator) -> ListenerPlan | None:
        """Return what of the listeners the way to a concentrator depends on."""
        line = concentrator.line
        return self._plans[line.listener] if isinstance(line, Terminal) else None

    def _count(self, listener: str) -> Callable[[str], None]:
        return lambda reason: self._metrics.callers_refused.labels(listener, reason).inc()

    def _made(self, site: Site, plan: ListenerPlan) -> DialIn:
        return DialIn(plan=plan, terminals=_terminals(site, plan.id), refused=self._count(plan.id))


async def _all_started(listeners: Sequence[DialIn]) -> None:
    """Start listeners, or none of them; raises CollectorError where a port is taken."""
    for listener in listeners:
        try:
            await listener.start()
        except CollectorError:
            for other in listeners:
                await other.stop()
            raise


def _terminals(site: Site, listener: str) -> frozenset[str]:
    lines = (concentrator.line for concentrator in site.concentrators)
    return frozenset(line.terminal for line in lines if isinstance(line, Terminal) and line.listener == listener)
