"""What pricing depends on, folded from the control events: supply points, their meters and terms, and tariffs."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from ledger.domain import supply as supply_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.event import Fact
from ledger.domain.supply import MeterInstalled, Supply
from ledger.domain.tariff import TariffHistory, compiled
from ledger.rating.rate import CompiledTariff
from ledger.values.identity import meter_stream


class PricingSnapshot:
    """A picture of all supply points and tariffs at a ledger position, kept by applying the log in order."""

    def __init__(self) -> None:
        self.position = 0
        self.supplies: dict[str, Supply] = {}
        self._supply_of_meter: dict[str, str] = {}
        self._tariffs: dict[str, TariffHistory] = {}
        self._streams: dict[str, UUID] = {}

    def apply(self, fact: Fact) -> None:
        """Take in one control fact; facts that pricing does not depend on change nothing."""
        if fact.topic.startswith("supply."):
            code: str = getattr(fact, "supply")  # noqa: B009 - every supply fact has it, their base class does not
            self.supplies[code] = supply_stream_of.evolve(self.supplies.get(code), fact)
            if isinstance(fact, MeterInstalled):
                self._supply_of_meter[fact.meter] = code
        elif isinstance(fact, tariff_stream_of.TariffPublished):
            self._tariffs[fact.tariff] = tariff_stream_of.evolve(self._tariffs.get(fact.tariff), fact)

    def supply_of_meter(self, serial: str) -> Supply | None:
        """Return the supply point that a meter measures now."""
        code = self._supply_of_meter.get(serial)
        return None if code is None else self.supplies[code]

    def stream_of(self, code: str) -> UUID:
        """Return the meter stream of a supply point; remembered, for deriving it costs as much as pricing."""
        stream = self._streams.get(code)
        if stream is None:
            stream = self._streams[code] = meter_stream(code)
        return stream

    def tariff_at(self, supply: Supply, instant: datetime) -> CompiledTariff | None:
        """Return the tariff version in force for a supply point at an instant."""
        terms = supply.terms_at(instant)
        history = None if terms is None else self._tariffs.get(terms.tariff)
        version = None if history is None else history.version_at(instant)
        return None if version is None else compiled(version.text, version.version)

    def changes_of(self, supply: Supply) -> Iterable[datetime]:
        """Yield the instants at which a supply point's prices may change: terms assigned, versions taking effect."""
        for terms in supply.terms:
            yield terms.effective_from
            history = self._tariffs.get(terms.tariff)
            for version in () if history is None else history.versions:
                yield version.effective_from
