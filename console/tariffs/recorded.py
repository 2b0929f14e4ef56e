"""What a supply point used, and what was charged for it, as its meter stream has it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.event import Fact
from ledger.domain.meter import BillingPeriodClosed, Difference, TimeChargeDebited, UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.vending import EnergyVended
from ledger.rating.compiled import CompiledTariff
from ledger.rating.lines import Line
from ledger.rating.quantities import NO_QUANTITIES, Quantities
from ledger.rating.usage import Usage
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

_TOPICS = [
    fact.topic
    for fact in (
        UsageDebited,
        UsageCorrected,
        OccupancyCorrected,
        TimeChargeDebited,
        BillingPeriodClosed,
        EnergyVended,
    )
]
_EVENTS = """
SELECT originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND topic = ANY(%s) ORDER BY originator_version
"""


@dataclass(slots=True)
class Span:
    """Usage of a span by the figure in force."""

    start: datetime
    end: datetime
    energy_milliwh: int
    quantities: Quantities = NO_QUANTITIES

    def usage(self, draft: CompiledTariff) -> list[Usage]:
        """Return the usage as the draft prices it: by time-of-use register where it knows their periods."""
        found = self.quantities
        calendar = draft.tariff.calendar
        by_period = {"": self.energy_milliwh}
        if calendar is not None and found.periods and set(found.periods) <= set(calendar.periods):
            by_period = dict(found.periods)
        beside = Usage(
            start=self.start,
            end=self.end,
            import_milliwh=by_period.pop("", 0),
            reactive_millivarh=found.reactive_millivarh or 0,
            apparent_millivah=found.apparent_millivah or 0,
            demand_w=found.demand_w,
        )
        by_register = [Usage(self.start, self.end, energy, period=name) for name, energy in by_period.items()]
        return [*by_register, beside] if beside.import_milliwh or not by_register or _is_more(beside) else by_register


@dataclass(frozen=True, slots=True)
class Charged:
    """What was charged to an account for a time that ended at an instant, by component, in micro-units."""

    account: str
    ended_at: datetime
    amounts: dict[str, int]


@dataclass(slots=True)
class Recorded:
    """All usage of a supply point, by the version of its debit, and all that was charged."""

    spans: dict[int, Span] = field(default_factory=dict)
    charged: list[Charged] = field(default_factory=list)

    def take(self, version: int, fact: Fact) -> None:
        """Take in the stream's next event; a correction gives the span that it corrects its figure."""
        match fact:
            case UsageDebited():
                quantities = fact.quantities or NO_QUANTITIES
                self.spans[version] = Span(fact.started_at, fact.ended_at, fact.usage_milliwh, quantities)
                self._charge(fact.account, fact.ended_at, fact.lines)
            case UsageCorrected():
                span = self.spans[fact.debit_version]
                span.energy_milliwh, span.quantities = fact.usage_milliwh, fact.quantities or NO_QUANTITIES
                self._differ(fact.ended_at, fact.lines)
            case OccupancyCorrected():
                self._differ(fact.occupied_from, fact.lines)
            case EnergyVended():
                self.spans[version] = Span(fact.vended_at, fact.vended_at, fact.usage_milliwh)
                self._charge(fact.account, fact.vended_at, fact.lines)
            case TimeChargeDebited() | BillingPeriodClosed():
                self._charge(fact.account, fact.ended_at, fact.lines)

    def _charge(self, account: str, ended_at: datetime, lines: Iterable[Line]) -> None:
        amounts: dict[str, int] = {}
        for line in lines:
            amounts[line.component] = amounts.get(line.component, 0) + line.amount_micros
        self.charged.append(Charged(account, ended_at, amounts))

    def _differ(self, ended_at: datetime, lines: Iterable[Difference]) -> None:
        self.charged += [Charged(line.account, ended_at, {line.component: line.amount_micros}) for line in lines]


def recorded(connection: Connection[Any], supply: str) -> Recorded:
    """Read what a supply point used and was charged."""
    found = Recorded()
    with connection.transaction(), connection.cursor("recorded", row_factory=tuple_row) as cursor:
        cursor.execute(_EVENTS, (meter_stream(supply), _TOPICS))
        for version, topic, state in cursor:
            found.take(version, fact_of(topic, bytes(state)))
    return found


def _is_more(usage: Usage) -> bool:
    return bool(usage.reactive_millivarh or usage.apparent_millivah) or usage.demand_w is not None
