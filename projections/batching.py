"""What one turn decides on many supplies: cuts of a site that wait for an operator, closings one after the other."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ledger.domain import cuts as cuts_domain
from ledger.domain.cuts import CutsHeld
from ledger.domain.event import Event
from ledger.values.identity import cuts_stream
from projections.decide import Decision, decide
from projections.order import OrderBook
from projections.picture import Picture
from projections.situation import Situation

_SECOND = timedelta(seconds=1)


@dataclass(slots=True)
class Batching:
    """Turns a picture into events; remembers the last second's closings by site, and whose wait for their turn."""

    closings: list[tuple[datetime, str]] = field(default_factory=list)
    put_off: set[str] = field(default_factory=set)

    def events_of(self, seen: Picture, orders: OrderBook, *, now: datetime) -> list[Event]:
        """Return what follows from a picture at the ledger's head, orders signed."""
        self.put_off = set()
        situations = list(seen.situations(now=now))
        held = list(self._held(seen, situations, now))
        cuts = {fact.site: seen.cuts[fact.site] for fact in held}
        cuts = {fact.site: cuts_domain.evolve(cuts[fact.site], fact) for fact in held}
        events = [Event(cuts_stream(fact.site), cuts[fact.site].version, fact) for fact in held]
        for situation in situations:
            settled = replace(situation, cuts=cuts.get(situation.site, situation.cuts))
            decision = self._staggered(settled, decide(settled, now=now), now)
            events += orders.events_of(settled, decision, now=now)
        return events

    def _held(self, seen: Picture, situations: Sequence[Situation], now: datetime) -> Iterator[CutsHeld]:
        """Yield a batch for each site where more would be cut than may be without anybody being asked."""
        due: dict[str, list[Situation]] = {}
        for situation in situations:
            is_released = situation.cuts.is_released(situation.supply, now)
            if not is_released and decide(situation, now=now).is_cut:
                due.setdefault(situation.site, []).append(situation)
        for site, there in due.items():
            rules, cuts, size = there[0].rules, there[0].cuts, seen.site_sizes[site]
            limit, recent = rules.batch_limit(size), seen.cuts_within(site, rules.window, now)
            if cuts.is_open or recent + len(there) > limit:
                yield CutsHeld(
                    site=site,
                    batch=cuts.batch if cuts.is_open else cuts.version + 1,
                    supplies=tuple(situation.supply for situation in there),
                    recent=recent,
                    limit=limit,
                    of=size,
                    ledger_position=seen.position,
                    recorded_at=now,
                )

    def _staggered(self, situation: Situation, decision: Decision, now: datetime) -> Decision:
        """Leave a closing for later where as many of the site as may begin at once have just begun."""
        if decision.order is None or decision.order.action != "close":
            return decision
        self.closings = [(at, site) for at, site in self.closings if now - _SECOND < at <= now]
        at_once = Counter(site for _, site in self.closings)[situation.site]
        if at_once >= situation.rules.closings_at_once > 0:
            self.put_off.add(situation.supply)
            return Decision(decision.facts, None)
        self.closings.append((now, situation.site))
        return decision
