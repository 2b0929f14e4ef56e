"""Which local dates of which concentrators have ended and are not ticked yet (pure).

A concentrator's zones are those of the tariffs that price its supply points. A date is announced once it has ended in
the last of them, so that one tick charges every supply point its own local date, whatever zone its tariff is in.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply

Zones = dict[str, frozenset[ZoneInfo]]

_DAY = timedelta(days=1)
# Terms that ended so long ago have no date left that has not ended: no two zones are further apart.
_TERMS_LINGER = timedelta(days=2)
# How many dates of one concentrator are on their way at once, after a long time of rest.
DATES_AHEAD = 31


def zones_of(snapshot: PricingSnapshot, *, now: datetime) -> Zones:
    """Return the time zones of each concentrator whose supply points have terms, in force now or until lately."""
    found: Zones = {}
    for concentrator in snapshot.concentrators:
        codes = {code for supply in snapshot.supplies_at(concentrator) for code in _tariffs_of(supply, now)}
        zones = frozenset(zone for code in codes if (zone := snapshot.zone_of_tariff(code)) is not None)
        if zones:
            found[concentrator] = zones
    return found


def ended_dates(zones: Zones, *, now: datetime) -> dict[str, date]:
    """Return the last local date that has ended in all zones of each concentrator."""
    today = {zone: now.astimezone(zone).date() for zone in frozenset[ZoneInfo]().union(*zones.values())}
    return {concentrator: min(today[zone] for zone in own) - _DAY for concentrator, own in zones.items()}


@dataclass(slots=True)
class Announcing:
    """What was published of each concentrator and may not be applied yet: up to which date, and when."""

    sent: dict[str, tuple[date, datetime]] = field(default_factory=dict)

    def due(
        self, ended: Mapping[str, date], applied: Mapping[str, date], *, now: datetime, resend_after: timedelta
    ) -> list[tuple[str, date]]:
        """Return the ticks to publish now, per concentrator in the order of its dates.

        `ended` is the last date that has ended, `applied` the last whose tick the ledger has. A concentrator that had
        none yet begins with the last ended date: its tick charges whatever is due before. What was published and is
        not applied after a while is published again, from the first that is not.
        """
        found: list[tuple[str, date]] = []
        for concentrator, last in sorted(ended.items()):
            reached = applied.get(concentrator, last - _DAY)
            sent_to, sent_at = self.sent.get(concentrator, (reached, now))
            if now - sent_at >= resend_after:
                sent_to = reached
            begin = max(reached, sent_to) + _DAY
            until = min(last, reached + DATES_AHEAD * _DAY)
            found += [(concentrator, begin + number * _DAY) for number in range((until - begin).days + 1)]
        return found

    def publish(self, ticks: Iterable[tuple[str, date]], *, now: datetime) -> None:
        """Remember what was published."""
        for concentrator, day in ticks:
            self.sent[concentrator] = (day, now)


def days_behind(ended: Mapping[str, date], applied: Mapping[str, date]) -> int:
    """Return how many ended dates the concentrator furthest behind has not been charged, of those ticked before."""
    return max((max((last - applied.get(name, last)).days, 0) for name, last in ended.items()), default=0)


def _tariffs_of(supply: Supply, now: datetime) -> set[str]:
    """Name the tariffs that price a supply point now, or did until lately."""
    in_force = (supply.terms_at(now), supply.terms_at(now - _TERMS_LINGER))
    return {terms.tariff for terms in in_force if terms is not None}
