"""Agents on the command line: their terms from options, their figures as tables."""

import re
from collections.abc import Sequence
from decimal import Decimal

from rich.table import Table

from ledger.domain.agent import AgentDeposited, AgentTerms, receipt_text
from ledger.values.errors import InvalidValue
from ledger.values.money import micros_from_text, text_from_micros
from projections.agents import AgentEntry, AgentRow

_MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")
_PERCENT = re.compile(r"[0-9]{1,2}(\.[0-9]{1,2})?")


def terms_from(*, commission: str, commission_fixed: str, float_limit: str) -> AgentTerms:
    """Return an agent's terms; raises InvalidValue."""
    return AgentTerms(
        commission_bps=_bps(commission),
        commission_fixed_micros=micros_from_text(commission_fixed),
        float_limit_micros=micros_from_text(float_limit),
    )


def changed_terms(
    terms: AgentTerms,
    *,
    commission: str | None,
    commission_fixed: str | None,
    float_limit: str | None,
    is_open: bool | None,
) -> AgentTerms:
    """Return terms with what is given changed."""
    fixed, limit = terms.commission_fixed_micros, terms.float_limit_micros
    return AgentTerms(
        commission_bps=terms.commission_bps if commission is None else _bps(commission),
        commission_fixed_micros=fixed if commission_fixed is None else micros_from_text(commission_fixed),
        float_limit_micros=limit if float_limit is None else micros_from_text(float_limit),
        is_open=terms.is_open if is_open is None else is_open,
    )


def agents_table(rows: Sequence[AgentRow]) -> Table:
    """Return what finance asks of agents, a row each."""
    table = Table("agent", "commission", "currency")
    for title in ("receipts", "sold", "undone", "commission", "deposited", "held", "at most"):
        table.add_column(title, justify="right")
    for row in rows:
        terms = f"{Decimal(row.commission_bps) / 100:f}% + {row.commission_fixed:.2f}"
        sums = (row.sold, row.undone, row.commission, row.deposited, row.held, row.float_limit)
        shown = (f"{amount:,.2f}" for amount in sums)
        style = "" if row.is_open else "dim"
        table.add_row(row.agent, terms, row.currency, str(row.receipts), *shown, style=style)
    return table


def of_month(rows: Sequence[AgentEntry], month: str) -> list[AgentEntry]:
    """Return the entries recorded in a month (UTC), all of them where none is named; raises InvalidValue."""
    if month and not _MONTH.fullmatch(month):
        raise InvalidValue(f"{month!r} is no month; write it like 2026-11")
    return [row for row in rows if not month or f"{row.fact.recorded_at:%Y-%m}" == month]


def entries_table(rows: Sequence[AgentEntry]) -> Table:
    """Return an agent's entries, one a row."""
    table = Table("at", "what", "receipt", "account")
    for title in ("position", "amount", "commission", "held after"):
        table.add_column(title, justify="right")
    for row in rows:
        fact = row.fact
        about = ("", "", 0)
        if not isinstance(fact, AgentDeposited):
            about = (receipt_text(fact.agent, fact.receipt_number), fact.account, fact.commission_micros)
        receipt, account, commission_micros = about
        amounts = (fact.amount_micros, commission_micros, fact.state.held_micros)
        shown = (text_from_micros(micros) for micros in amounts)
        table.add_row(f"{fact.recorded_at:%Y-%m-%d %H:%M}", row.kind, receipt, account, str(row.position), *shown)
    return table


def entries_total(rows: Sequence[AgentEntry]) -> str:
    """Say what entries come to: sales, commission, deposits, and the change of what is held."""
    sold = [row for row in rows if row.kind == "sold"]
    undone = [row for row in rows if row.kind == "sale-undone"]
    deposited = [row for row in rows if row.kind == "deposited"]
    earned_micros = sum(getattr(row.fact, "commission_micros", 0) for row in sold)
    earned_micros -= sum(getattr(row.fact, "commission_micros", 0) for row in undone)
    change_micros = sum(row.held_change_micros for row in rows)
    return (
        f"{len(sold)} sales {_sum(sold)}, {len(undone)} undone {_sum(undone)}, commission"
        f" {text_from_micros(earned_micros)}, {len(deposited)} deposits {_sum(deposited)};"
        f" cash held changed by {text_from_micros(change_micros)}"
    )


def _sum(rows: Sequence[AgentEntry]) -> str:
    return text_from_micros(sum(row.fact.amount_micros for row in rows))


def _bps(percent: str) -> int:
    if not _PERCENT.fullmatch(percent):
        raise InvalidValue(f"commission {percent!r} is no percentage of two decimals at most; write it like 1.5")
    return micros_from_text(percent) // 10_000
