"""What pricing depends on, folded from the control events: supply points, their meters and terms, and tariffs."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from ledger.domain import supply as supply_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.event import Fact
from ledger.domain.sharing import Shared
from ledger.domain.supply import MeterInstalled, Supply
from ledger.domain.tariff import TariffHistory, compiled, knows_class, prorated
from ledger.rating.components import NO_PRORATION
from ledger.rating.ladder import Part
from ledger.rating.rate import CompiledTariff
from ledger.values.identity import meter_stream


class Price(NamedTuple):
    """From an instant on, usage is rated by this version (None where none is in force), for this contracted power."""

    starts: datetime
    tariff: CompiledTariff | None
    contracted_w: int = 0


class _Point:
    """A supply point with what is derived of it, found together: where there are very many, each look-up is dear.

    `prices` are those that it had while tariffs were in their `edition`, None where nobody has asked yet.
    """

    __slots__ = ("edition", "prices", "stream", "supply")

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self.stream: UUID | None = None
        self.prices: tuple[Price, ...] | None = None
        self.edition = 0


class PricingSnapshot:
    """A picture of all supply points and tariffs at a ledger position, kept by applying the log in order."""

    def __init__(self) -> None:
        self.position = 0
        self.supplies: dict[str, Supply] = {}
        self._points: dict[str, _Point] = {}
        self._point_of_meter: dict[str, _Point] = {}
        # Codes in the order of their registration; a dict, for a set has none.
        self._at_concentrator: dict[str, dict[str, None]] = {}
        self._tariffs: dict[str, TariffHistory] = {}
        self._edition = 0
        self._shared = Shared()
        self._prices: dict[tuple[Price, ...], tuple[Price, ...]] = {}

    def apply(self, fact: Fact) -> None:
        """Take in one control fact; facts that pricing does not depend on change nothing."""
        if fact.topic.startswith("supply."):
            self._apply(fact, getattr(fact, "supply"))  # noqa: B009 - every supply fact has it, their base does not
        elif isinstance(fact, tariff_stream_of.TariffPublished):
            self._tariffs[fact.tariff] = tariff_stream_of.evolve(self._tariffs.get(fact.tariff), fact)
            self._edition += 1
            self._prices.clear()

    def _apply(self, fact: Fact, code: str) -> None:
        point = self._points.get(code)
        before = None if point is None else point.supply
        self._shared.within(fact, supply=code if before is None else before.code)
        supply = supply_stream_of.evolve(before, fact)
        if point is None:
            point = self._points[supply.code] = _Point(supply)
        point.supply, point.prices = supply, None
        self.supplies[supply.code] = supply
        if before is None or before.concentrator != supply.concentrator:
            self._move(supply.code, before, supply)
        if isinstance(fact, MeterInstalled):
            self._point_of_meter[fact.meter] = point

    def _move(self, code: str, before: Supply | None, supply: Supply) -> None:
        if before is not None:
            del self._at_concentrator[before.concentrator][code]
        self._at_concentrator.setdefault(supply.concentrator, {})[code] = None

    @property
    def concentrators(self) -> list[str]:
        """The concentrators that supply points are fed through, in the order in which they came."""
        return [concentrator for concentrator, codes in self._at_concentrator.items() if codes]

    def supplies_at(self, concentrator: str) -> list[Supply]:
        """Return the supply points that are fed through a concentrator now."""
        return [self.supplies[code] for code in self._at_concentrator.get(concentrator, ())]

    def zone_of_tariff(self, code: str) -> ZoneInfo | None:
        """Return a tariff's time zone, which all its versions share; None for one that was never published."""
        history = self._tariffs.get(code)
        if history is None:
            return None
        newest = history.versions[-1]
        return compiled(newest.text, newest.version).days.zone

    def supply_of_meter(self, serial: str) -> Supply | None:
        """Return the supply point that a meter measures now."""
        point = self._point_of_meter.get(serial)
        return None if point is None else point.supply

    def stream_of(self, code: str) -> UUID:
        """Return the meter stream of a supply point; remembered, for deriving it costs as much as pricing."""
        point = self._points.get(code)
        if point is None:
            return meter_stream(code)
        if point.stream is None:
            point.stream = meter_stream(code)
        return point.stream

    def tariff_at(self, supply: Supply, instant: datetime) -> CompiledTariff | None:
        """Return the tariff version in force for a supply point at an instant, for the class of its terms.

        None, too, where the version has no prices for that class: what is used is held then, not billed as another's.
        """
        terms = supply.terms_at(instant)
        history = None if terms is None else self._tariffs.get(terms.tariff)
        version = None if history is None else history.version_at(instant)
        if terms is None or version is None or not knows_class(version.text, terms.account_class):
            return None
        return compiled(version.text, version.version, terms.account_class)

    def prices_of(self, supply: Supply) -> tuple["Price", ...]:
        """Return what a supply point's usage costs from when on, ascending; remembered until something changes it.

        Of a supply point as it was once, the same; that is not remembered.
        """
        point = self._points.get(supply.code)
        if point is None or point.supply is not supply:
            return self._prices_for(supply)
        prices = point.prices
        if prices is None or point.edition != self._edition:
            prices = self._prices_for(supply)
            # Most supply points are priced alike.
            prices = point.prices = self._prices.setdefault(prices, prices)
            point.edition = self._edition
        return prices

    def _prices_for(self, supply: Supply) -> tuple["Price", ...]:
        instants = sorted(set(self.changes_of(supply)))
        return tuple(self._price(supply, instant) for instant in instants)

    def _price(self, supply: Supply, instant: datetime) -> Price:
        terms = supply.terms_at(instant)
        return Price(instant, self._tariff_for(supply, instant), 0 if terms is None else terms.contracted_w)

    def _tariff_for(self, supply: Supply, instant: datetime) -> CompiledTariff | None:
        """Return the version in force, its blocks prorated to the occupancy, and to its own life, as it says."""
        tariff = self.tariff_at(supply, instant)
        if tariff is None:
            return None
        proration = tariff.tariff.proration
        occupancy = supply.occupancy_at(instant)
        begins = [] if occupancy is None else [occupancy.occupied_from]
        if proration.on_change == "prorate":
            begins.append(self._in_force_from(supply, instant))
        days = [begin.astimezone(tariff.tariff.time_zone).date() for begin in begins]
        return prorated(tariff, Part(first=max(days))) if days and proration != NO_PRORATION else tariff

    def _in_force_from(self, supply: Supply, instant: datetime) -> datetime:
        terms = supply.terms_at(instant)
        version = None if terms is None else self._tariffs[terms.tariff].version_at(instant)
        if terms is None or version is None:
            raise AssertionError(f"supply {supply.code} has a tariff at {instant.isoformat()}, but no terms")
        return max(terms.effective_from, version.effective_from)

    def changes_of(self, supply: Supply) -> Iterable[datetime]:
        """Yield the instants at which a supply point's prices may change.

        Terms are assigned, versions take effect, occupancies begin.
        """
        for occupancy in supply.occupancies:
            yield occupancy.occupied_from
        for terms in supply.terms:
            yield terms.effective_from
            history = self._tariffs.get(terms.tariff)
            for version in () if history is None else history.versions:
                yield version.effective_from
