"""What recorded usage would have cost under a draft tariff, account by account; nothing is changed.

Each debit that ended in the span is priced again, in the order in which it was booked, with counters of the draft's
own. Debits of a year and a month before the span fill those counters first, so that the blocks of a month or a year
that began earlier stand where they would have stood.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.meter import UsageDebited
from ledger.domain.supply import SupplyOccupied
from ledger.rating.bill import bill
from ledger.rating.components import Allowance, CapacityCharge, DailyCharge, Minimum
from ledger.rating.lines import Counters
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
_DEBITS = "SELECT topic, state FROM ledger.events WHERE originator_id = %s AND topic = %s ORDER BY originator_version"


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
        for debit in _debits(connection, supply):
            if (accounts and debit.account not in accounts) or not begin - _FILLS_COUNTERS < debit.ended_at <= end:
                continue
            _replay(simulation, draft, debit, counters, is_counted=debit.ended_at > begin)
        yield simulation


def _replay(
    simulation: Simulation,
    draft: CompiledTariff,
    debit: UsageDebited,
    counters: dict[str, Counters],
    *,
    is_counted: bool,
) -> None:
    usage = Usage(start=debit.started_at, end=debit.ended_at, import_milliwh=debit.usage_milliwh)
    before = counters.get(debit.account, Counters())
    rated = bill(draft, [usage], counters=before, days=False)
    counters[debit.account] = rated.counters
    if not is_counted:
        return
    simulation.debits += 1
    row = simulation.accounts.setdefault(debit.account, AccountChange(debit.account))
    row.energy_milliwh += debit.usage_milliwh
    row.charged_micros += debit.amount_micros
    row.draft_micros += sum(line.amount_micros for line in rated.lines)
    for totals, lines in ((simulation.charged_components, debit.lines), (simulation.draft_components, rated.lines)):
        for line in lines:
            totals[line.component] = totals.get(line.component, 0) + line.amount_micros


def _debits(connection: Connection[Any], supply: str) -> Iterator[UsageDebited]:
    with connection.transaction(), connection.cursor("simulation", row_factory=tuple_row) as cursor:
        cursor.execute(_DEBITS, (meter_stream(supply), UsageDebited.topic))
        for topic, state in cursor:
            fact = fact_of(topic, bytes(state))
            if isinstance(fact, UsageDebited):
                yield fact
