"""What recorded usage would have cost under a draft tariff, account by account; nothing is changed.

What ended in the span is priced again, in the order of the times that it is for, with counters of the draft's own.
A year and a month before the span fill those counters first, so that the blocks of a month or a year that began
earlier stand where they would have stood.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import Connection

from console.tariffs.drafted import Draft, Drafting, Due
from console.tariffs.recorded import Span, recorded
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.supply import Supply
from ledger.domain.tariff import compiled
from ledger.store.log import head_of, read_control_log

# Longer than any block's window, by a month for spans that began before it.
_FILLS_COUNTERS = timedelta(days=397)
_BATCH_EVENTS = 5_000
_DAY = timedelta(days=1)


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
    """Accounts with their changes, and the revenue per component."""

    currency: str
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

    def charge(self, account: str, amounts: Mapping[str, int]) -> None:
        """Count what an account was charged."""
        row = self._row(account)
        for name, micros in amounts.items():
            row.charged_micros += micros
            self.charged_components[name] = self.charged_components.get(name, 0) + micros

    def would_charge(self, due: Due) -> None:
        """Count what the draft would have charged."""
        self.debits += 1
        row = self._row(due.account)
        row.energy_milliwh += due.energy_milliwh
        for line in due.lines:
            row.draft_micros += line.amount_micros
            totals = self.draft_components
            totals[line.component] = totals.get(line.component, 0) + line.amount_micros

    def _row(self, account: str) -> AccountChange:
        return self.accounts.setdefault(account, AccountChange(account))


def supplies_of(connection: Connection[Any], *, accounts: Sequence[str]) -> list[Supply]:
    """Return the supply points that the accounts (all for none) have occupied, by code."""
    snapshot, after = PricingSnapshot(), 0
    head, _ = head_of(connection)
    while batch := read_control_log(connection, after=after, upto=head, limit=_BATCH_EVENTS):
        for logged in batch:
            snapshot.apply(logged.fact)
        after = batch[-1].position
    return [
        supply
        for _, supply in sorted(snapshot.supplies.items())
        if any(not accounts or row.account in accounts for row in supply.occupancies)
    ]


def simulate(
    connection: Connection[Any],
    draft: Draft,
    *,
    supplies: Sequence[Supply],
    accounts: Sequence[str],
    begin: datetime,
    end: datetime,
) -> Iterator[Simulation]:
    """Replay the supply points one by one, yielding the same simulation as it grows after each."""
    tariff = compiled(draft.text, 0).tariff
    simulation = Simulation(tariff.currency)
    filled = begin - _FILLS_COUNTERS

    def is_counted(account: str, ended_at: datetime) -> bool:
        return begin < ended_at <= end and (not accounts or account in accounts)

    for supply in supplies:
        found = recorded(connection, supply.code)
        for charged in found.charged:
            if is_counted(charged.account, charged.ended_at):
                simulation.charge(charged.account, charged.amounts)
        spans = [span for span in found.spans.values() if filled < span.end <= end]
        for due in _charges(Drafting(supply, draft.prices(supply)), spans, begin, end, tariff.time_zone):
            if is_counted(due.account, due.ended_at):
                simulation.would_charge(due)
        yield simulation


def _charges(
    drafting: Drafting, spans: Sequence[Span], begin: datetime, end: datetime, zone: ZoneInfo
) -> Iterator[Due]:
    """Charge what comes before the span, so that what falls due in it starts at its own beginning, and the span."""
    first, last = _date(begin, zone), _date(end, zone)
    before = [span for span in spans if span.end <= begin]
    after = [span for span in spans if span.end > begin]
    eve = first - _DAY
    yield from drafting.charges(before, after=first - _FILLS_COUNTERS, through=eve, known_at=end)
    yield from drafting.charges(after, after=eve, through=last, known_at=end)


def _date(instant: datetime, zone: ZoneInfo) -> date:
    return instant.astimezone(zone).date()
