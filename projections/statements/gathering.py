"""Adds an account's events up into its statement; what does not agree with the postings is refused, never shown."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from ledger.domain import chart
from ledger.domain.account_facts import DebitCorrected
from ledger.domain.event import Fact, Posting
from ledger.domain.meter import Difference, UsageCorrected, UsageDebited
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.vending import EnergyVended
from ledger.rating.lines import Line
from projections.errors import ProjectionsError
from projections.postings import postings_of
from projections.statements.statement import (
    LineKey,
    LineSum,
    MoneyEvent,
    Movement,
    RegisterSpan,
    Standing,
    SupplyPart,
    TaxPart,
)

# By topic without its version; what is not here is told under its own name.
KINDS = {
    "account.credited": "top-up",
    "account.top-up-reversed": "reversal",
    "account.top-up-charged-back": "chargeback",
    "account.top-up-transferred": "transfer",
    "account.refunded": "refund",
    "account.adjusted": "adjustment",
    "account.debit-corrected": "given-back",
    "account.written-off": "write-off",
    "account.debt-collected": "debt-payment",
    "account.debt-agreed": "debt-agreed",
    "account.instalment-collected": "instalment",
    "account.charge-accrued": "accrued",
    "account.closed": "closing",
    "meter.usage-debited": "usage",
    "meter.time-charge-debited": "time-charge",
    "meter.billing-period-closed": "minimum",
    "meter.energy-vended": "vended",
    "meter.usage-corrected": "correction",
    "meter.occupancy-corrected": "correction",
}


class StatementDisagrees(ProjectionsError):
    """A statement's lines do not come to what the ledger booked."""


@dataclass(slots=True)
class Gathering:
    """Takes an account's events of a month in, in order."""

    account: str
    events: int = 0
    movements: dict[str, Movement] = field(default_factory=dict)
    money: list[MoneyEvent] = field(default_factory=list)
    supplies: dict[str, SupplyPart] = field(default_factory=dict)
    taxes: dict[str, TaxPart] = field(default_factory=dict)

    def take(self, position: int, fact: Fact) -> None:
        """Take the next event in; raises StatementDisagrees."""
        self.events += 1
        change = standing_of(postings_of(fact), account=self.account)
        kind = kind_of(fact)
        if change != Standing() or kind == "top-up":
            movement = self.movements.setdefault(kind, Movement(kind))
            movement.events += 1
            movement.change.add(change)
            if not fact.topic.startswith("meter."):
                self.money.append(_money_event(position, fact, kind, change))
        lines = list(_lines_of(fact, self.account))
        if lines or fact.topic.startswith("meter."):
            self._charge(position, fact, lines, change)
        for tax in getattr(fact, "taxes", ()):
            if tax.account == self.account:
                self._tax(tax.component).at_payment_micros += tax.amount_micros

    def _charge(self, position: int, fact: Fact, lines: "Sequence[Line | Difference]", change: Standing) -> None:
        total_micros = sum(line.amount_micros for line in lines)
        if total_micros != -change.balance_micros:
            raise StatementDisagrees(
                f"the lines of the event at position {position} come to {total_micros} micro-units for account"
                f" {self.account!r}, its postings to {-change.balance_micros}; run `wattledger audit verify`"
            )
        supply: str = getattr(fact, "supply")  # noqa: B009 - facts with lines have one, their base class has none
        if not lines and supply not in self.supplies and _usage_of(fact, self.account) == 0:
            return
        part = self.supplies.setdefault(supply, SupplyPart(supply))
        part.usage_milliwh += _usage_of(fact, self.account)
        if isinstance(fact, UsageDebited) and fact.account == self.account:
            _span(part.registers, fact)
        for line in lines:
            found = part.lines.setdefault(_key(line), LineSum())
            found.amount_micros += line.amount_micros
            if isinstance(line, Line):
                found.quantity += Decimal(line.quantity)
            if line.tax:
                self._add_tax(line)

    def _add_tax(self, line: Line | Difference) -> None:
        tax = self._tax(line.component)
        if line.at_payment:
            tax.released_micros += line.amount_micros
        else:
            tax.at_supply_micros += line.amount_micros

    def _tax(self, component: str) -> TaxPart:
        return self.taxes.setdefault(component, TaxPart(component))


def kind_of(fact: Fact) -> str:
    """Return what a statement calls a fact."""
    topic = fact.topic.partition("/")[0]
    return KINDS.get(topic, topic)


def standing_of(postings: Sequence[Posting], *, account: str) -> Standing:
    """Return what postings change of an account's standing."""
    change = Standing()
    for posting in postings:
        if posting.account != account:
            continue
        match posting.code:
            case chart.PREPAYMENT:
                change.balance_micros -= posting.amount_micros
            case chart.DEBT:
                change.debt_micros += posting.amount_micros
            case chart.ACCRUED_CHARGES:
                change.accrued_micros += posting.amount_micros
            case code if chart.taxed_component(code) is not None:
                change.advance_tax_micros += posting.amount_micros
    return change


def _money_event(position: int, fact: Fact, kind: str, change: Standing) -> MoneyEvent:
    return MoneyEvent(
        position=position,
        at=fact.recorded_at,
        kind=kind,
        channel=getattr(fact, "channel", ""),
        about_position=getattr(fact, "top_up_position", 0) or getattr(fact, "debit_position", 0),
        change=change,
    )


def _lines_of(fact: Fact, account: str) -> list[Line | Difference]:
    if isinstance(fact, UsageCorrected | OccupancyCorrected | DebitCorrected):
        return [line for line in fact.lines if line.account == account]
    if getattr(fact, "account", "") != account:
        return []
    lines: list[Line | Difference] = list(getattr(fact, "lines", ()))
    return lines


def _usage_of(fact: Fact, account: str) -> int:
    match fact:
        case UsageDebited() | EnergyVended():
            return fact.usage_milliwh if fact.account == account else 0
        case UsageCorrected():
            alone = ((fact.account, fact.usage_milliwh - fact.replaced_milliwh),)
            return dict(fact.usages or alone).get(account, 0)
        case OccupancyCorrected():
            return dict(fact.usages).get(account, 0)
    return 0


def _key(line: Line | Difference) -> LineKey:
    priced = line if isinstance(line, Line) else None
    return LineKey(
        component=line.component,
        unit=priced.unit if priced else "",
        price=priced.price if priced else "",
        block=priced.block if priced else "",
        time_of_use=priced.time_of_use if priced else "",
        tariff=line.tariff,
        version=line.version,
        is_tax=line.tax,
        is_allowance=line.allowance,
        is_at_payment=line.at_payment,
        is_correction=priced is None,
    )


def _span(registers: list[RegisterSpan], fact: UsageDebited) -> None:
    """Widen the span of the debit's meter, or begin one."""
    row = next((row for row in registers if (row.meter, row.multiplier) == (fact.meter, fact.multiplier)), None)
    if row is None:
        registers.append(
            RegisterSpan(
                meter=fact.meter,
                multiplier=fact.multiplier,
                started_at=fact.started_at,
                ended_at=fact.ended_at,
                opening_milliwh=fact.opening_milliwh,
                closing_milliwh=fact.closing_milliwh,
            )
        )
        return
    if fact.started_at < row.started_at:
        row.started_at, row.opening_milliwh = fact.started_at, fact.opening_milliwh
    if fact.ended_at > row.ended_at:
        row.ended_at, row.closing_milliwh = fact.ended_at, fact.closing_milliwh
