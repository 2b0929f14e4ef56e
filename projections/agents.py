"""Agents who sell top-ups: where each stands, and their sales and deposits in the order of their receipts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import class_row, tuple_row
from psycopg.sql import SQL, Identifier

from ledger.domain.agent import AGENT_FACTS, AgentDeposited, AgentSaleUndone, AgentSold, AnyAgentFact
from ledger.store.log import Logged
from ledger.store.mapper import fact_of
from ledger.values.identity import agent_stream
from ledger.values.money import decimal_from_micros
from projections.model import ReadModel, Table

_PUT = SQL("""
INSERT INTO {schema}.agents (agent, currency, commission_bps, commission_fixed, float_limit, is_open, receipts, held,
    sold, undone, commission, deposited, changed_at, position)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (agent) DO UPDATE SET commission_bps = excluded.commission_bps,
    commission_fixed = excluded.commission_fixed, float_limit = excluded.float_limit, is_open = excluded.is_open,
    receipts = excluded.receipts, held = excluded.held, sold = excluded.sold, undone = excluded.undone,
    commission = excluded.commission, deposited = excluded.deposited, changed_at = excluded.changed_at,
    position = excluded.position
""")
_AGENTS = """
SELECT agent, currency, commission_bps, commission_fixed, float_limit, is_open, receipts, held, sold, undone,
    commission, deposited, changed_at
FROM projections.agents WHERE agent > %(after)s ORDER BY agent LIMIT %(limit)s
"""
_ENTRIES = """
SELECT originator_version, notification_id, topic, state FROM ledger.events
WHERE originator_id = %(stream)s AND originator_version > %(after)s
    AND topic IN ('agent.sold/1', 'agent.sale-undone/1', 'agent.deposited/1')
ORDER BY originator_version LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent; amounts in currency units. `held` is the cash that they have of ours."""

    agent: str
    currency: str
    commission_bps: int
    commission_fixed: Decimal
    float_limit: Decimal
    is_open: bool
    receipts: int
    held: Decimal
    sold: Decimal
    undone: Decimal
    commission: Decimal
    deposited: Decimal
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class AgentEntry:
    """A sale, its undoing, or a deposit, at its place in the agent's stream and in the ledger."""

    number: int
    position: int
    fact: AgentSold | AgentSaleUndone | AgentDeposited

    @property
    def kind(self) -> str:
        """What it is: `sold`, `sale-undone` or `deposited`."""
        return self.fact.topic.partition(".")[2].partition("/")[0]

    @property
    def held_change_micros(self) -> int:
        """What it changed of the cash that the agent holds."""
        match self.fact:
            case AgentSold():
                return self.fact.amount_micros - self.fact.commission_micros
            case AgentSaleUndone():
                return self.fact.commission_micros - self.fact.amount_micros
            case AgentDeposited():
                return -self.fact.amount_micros


def agents(connection: Connection[Any], *, after_: str = "", limit: int | None = None) -> list[AgentRow]:
    """Return the agents by code."""
    with connection.cursor(row_factory=class_row(AgentRow)) as cursor:
        return cursor.execute(_AGENTS, {"after": after_, "limit": limit}).fetchall()


def agent_entries(
    connection: Connection[Any], *, agent: str, after: int = 0, limit: int | None = None
) -> list[AgentEntry]:
    """Return an agent's sales, undone sales and deposits in order, after a place in their stream."""
    wanted = {"stream": agent_stream(agent), "after": after, "limit": limit}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(_ENTRIES, wanted).fetchall()
    return [_entry(*row) for row in rows]


def _entry(version: int, position: int, topic: str, state: bytes) -> AgentEntry:
    fact = fact_of(topic, bytes(state))
    if not isinstance(fact, AgentSold | AgentSaleUndone | AgentDeposited):
        raise AssertionError(f"{topic} is no entry of an agent's")
    return AgentEntry(version, position, fact)


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Write each agent's newest state of a batch."""
    newest: dict[str, tuple[AnyAgentFact, int]] = {}
    for event in events:
        if isinstance(event.fact, AGENT_FACTS):
            newest[event.fact.agent] = (event.fact, event.position)
    for fact, position in newest.values():
        cursor.execute(_PUT.format(schema=Identifier(schema)), _row(fact, position))


def _row(fact: AnyAgentFact, position: int) -> tuple[object, ...]:
    state, terms = fact.state, fact.state.terms
    return (
        fact.agent,
        state.currency,
        terms.commission_bps,
        decimal_from_micros(terms.commission_fixed_micros),
        decimal_from_micros(terms.float_limit_micros),
        terms.is_open,
        state.receipts,
        *(
            decimal_from_micros(micros)
            for micros in (
                state.held_micros,
                state.sold_micros,
                state.undone_micros,
                state.commission_micros,
                state.deposited_micros,
            )
        ),
        fact.recorded_at,
        position,
    )


MODEL = ReadModel("agents", (Table("agents", ("agent",)),), project, passes_over_usage=True)
