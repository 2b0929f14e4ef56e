"""A site's listeners: made and ended as the site file says, while terminals stay on those that did not change."""

from collections.abc import Callable, Iterable

from collectors.dial_in import DialIn, ListenerPlan
from collectors.lines import DialInLine, Line
from collectors.metrics import CollectorMetrics
from collectors.site import Concentrator, Site
from collectors.site_lines import Terminal


class Listeners:
    """All ports that terminals dial in to."""

    def __init__(self, *, site: Site, metrics: CollectorMetrics) -> None:
        self._metrics = metrics
        self._plans: dict[str, ListenerPlan] = {}
        self._listeners: dict[str, DialIn] = {}
        self._make(site, site.listeners)

    async def start(self) -> None:
        """Begin to listen on every port; raises CollectorError where one is taken."""
        for listener in self._listeners.values():
            await listener.start()

    async def take_over(self, site: Site) -> None:
        """Listen as a changed site says; raises CollectorError where a port is taken."""
        wanted = {plan.id: plan for plan in site.listeners}
        for name in [name for name, plan in self._plans.items() if wanted.get(name) != plan]:
            del self._plans[name]
            await self._listeners.pop(name).stop()
        for name, listener in self._listeners.items():
            listener.know(_terminals(site, name))
        for listener in self._make(site, [plan for plan in site.listeners if plan.id not in self._listeners]):
            await listener.start()

    async def stop(self) -> None:
        """Stop listening, hang up on every terminal."""
        for listener in self._listeners.values():
            await listener.stop()

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

    def _make(self, site: Site, plans: Iterable[ListenerPlan]) -> list[DialIn]:
        made = []
        for plan in plans:
            listener = DialIn(plan=plan, terminals=_terminals(site, plan.id), refused=self._count(plan.id))
            self._plans[plan.id], self._listeners[plan.id] = plan, listener
            made.append(listener)
        return made


def _terminals(site: Site, listener: str) -> frozenset[str]:
    lines = (concentrator.line for concentrator in site.concentrators)
    return frozenset(line.terminal for line in lines if isinstance(line, Terminal) and line.listener == listener)
