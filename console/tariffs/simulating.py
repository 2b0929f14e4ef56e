"""What recorded usage would have cost under a draft tariff, account by account; nothing is changed.

Each debit that ended in the span is priced again, in the order in which it was booked, with counters of the draft's
own. Debits of a year and a month before the span fill those counters first, so that the blocks of a month or a year
that began earlier stand where they would have stood.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.meter import Difference, UsageCorrected, UsageDebited
from ledger.domain.supply import SupplyOccupied
from ledger.rating.bill import bill
from ledger.rating.components import Allowance, CapacityCharge, DailyCharge, Minimum
from ledger.rating.lines import Counters, Line
from ledger.rating.quantities import NO_QUANTITIES, Quantities
from ledger.rating.rate import CompiledTariff
from ledger.rating.usage import Usage
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

# Longer than any block's window, by a month for spans that began before it.
_FILLS_COUNTERS = timedelta(days=397)
_OCCUPIED = """
SELECT topic, state FROM ledger.events
WHERE topic NOT LIKE 'meter.%%' AND topic = %s ORDER BY notification_id
"""
_DEBITS = """
SELECT originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND topic = ANY(%s) ORDER BY originator_version
"""


@dataclass(slots=True)
class _Recorded:
    """A debit as it stands: its span, the energy in force, and all that was charged for it, per component."""

    account: str
    start: datetime
    end: datetime
    energy_milliwh: int
    quantities: Quantities = NO_QUANTITIES
    amounts: dict[str, int] = field(default_factory=dict)

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

    def add(self, lines: Iterable[Line | Difference]) -> None:
        for line in lines:
            self.amounts[line.component] = self.amounts.get(line.component, 0) + line.amount_micros


def _is_more(usage: Usage) -> bool:
    return bool(usage.reactive_millivarh or usage.apparent_millivah) or usage.demand_w is not None


@dataclass(slots=True)
class AccountChange:
    """What an account was charged, and what the draft would have charged for the same usage."""

    account: str
    energy_milliwh: int = 0
    charged_micros: int = 0
    draft_micros: int = 0

    @property
    def change_micros(self) -> int:
        """How much more the draft takes."""
        return self.draft_micros - self.charged_micros

    @property
    def change_percent(self) -> Decimal | None:
        """The same in per cent of what was charged; None where that was nothing."""
        if self.charged_micros == 0:
            return None
        return (Decimal(self.change_micros) * 100 / self.charged_micros).quantize(Decimal("0.01"))


@dataclass(slots=True)
class Simulation:
    """Accounts with their changes, and the revenue per component; `left_out` are what usage alone does not bring."""

    currency: str
    left_out: tuple[str, ...] = ()
    debits: int = 0
    accounts: dict[str, AccountChange] = field(default_factory=dict)
    charged_components: dict[str, int] = field(default_factory=dict)
    draft_components: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> AccountChange:
        """All accounts together."""
        rows = self.accounts.values()
        return AccountChange(
            account="all",
            energy_milliwh=sum(row.energy_milliwh for row in rows),
            charged_micros=sum(row.charged_micros for row in rows),
            draft_micros=sum(row.draft_micros for row in rows),
        )


def left_out(draft: CompiledTariff) -> tuple[str, ...]:
    """Name the draft's components that time or contracted power bring, not usage."""
    brought = DailyCharge | CapacityCharge | Minimum | Allowance
    return tuple(thing.component for thing in draft.components if isinstance(thing, brought))


def supplies_of(connection: Connection[Any], *, accounts: Sequence[str]) -> list[str]:
    """Return the supply points that the accounts (all for none) have occupied, by code."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_OCCUPIED, (SupplyOccupied.topic,)).fetchall()
    facts = [fact_of(topic, bytes(state)) for topic, state in found]
    return sorted(
        {
            fact.supply
            for fact in facts
            if isinstance(fact, SupplyOccupied) and (not accounts or fact.account in accounts)
        }
    )


def simulate(
    connection: Connection[Any],
    draft: CompiledTariff,
    *,
    supplies: Sequence[str],
    accounts: Sequence[str],
    begin: datetime,
    end: datetime,
) -> Iterator[Simulation]:
    """Replay the supply points one by one, yielding the same simulation as it grows after each."""
    simulation = Simulation(draft.tariff.currency, left_out(draft))
    for supply in supplies:
        counters: dict[str, Counters] = {}
        for span in _recorded(connection, supply).values():
            if (accounts and span.account not in accounts) or not begin - _FILLS_COUNTERS < span.end <= end:
                continue
            rated = bill(draft, span.usage(draft), counters=counters.get(span.account, Counters()), days=False)
            counters[span.account] = rated.counters
            if span.end > begin:
                _count(simulation, span, rated.lines)
        yield simulation


def _count(simulation: Simulation, span: _Recorded, lines: Sequence[Line]) -> None:
    simulation.debits += 1
    row = simulation.accounts.setdefault(span.account, AccountChange(span.account))
    row.energy_milliwh += span.energy_milliwh
    row.charged_micros += sum(span.amounts.values())
    row.draft_micros += sum(line.amount_micros for line in lines)
    for name, micros in span.amounts.items():
        simulation.charged_components[name] = simulation.charged_components.get(name, 0) + micros
    for line in lines:
        totals = simulation.draft_components
        totals[line.component] = totals.get(line.component, 0) + line.amount_micros


def _recorded(connection: Connection[Any], supply: str) -> dict[int, _Recorded]:
    """Return a supply point's debits by version; a correction counts with the debit that it corrects."""
    spans: dict[int, _Recorded] = {}
    with connection.transaction(), connection.cursor("simulation", row_factory=tuple_row) as cursor:
        cursor.execute(_DEBITS, (meter_stream(supply), [UsageDebited.topic, UsageCorrected.topic]))
        for version, topic, state in cursor:
            fact = fact_of(topic, bytes(state))
            if isinstance(fact, UsageDebited):
                quantities = fact.quantities or NO_QUANTITIES
                spans[version] = _Recorded(
                    fact.account, fact.started_at, fact.ended_at, fact.usage_milliwh, quantities
                )
                spans[version].add(fact.lines)
            elif isinstance(fact, UsageCorrected):
                spans[fact.debit_version].energy_milliwh = fact.usage_milliwh
                spans[fact.debit_version].quantities = fact.quantities or NO_QUANTITIES
                spans[fact.debit_version].add(fact.lines)
    return spans
