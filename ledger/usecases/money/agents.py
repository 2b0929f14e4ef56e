"""Agents: who sells for us, on what terms; what they deposit of the cash that they took in."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ledger.domain.agent import (
    AGENT_FACTS,
    AgentDeposited,
    AgentRegistered,
    AgentState,
    AgentTerms,
    AgentTermsChanged,
)
from ledger.domain.booking import booked
from ledger.domain.event import Event
from ledger.store.application import Ledger
from ledger.store.command import Command
from ledger.usecases.attempt import Booked, appended, appended_once, checked_key
from ledger.usecases.codes import checked_code, checked_currency
from ledger.usecases.money.attempt import By, checked_amount
from ledger.values.errors import InvalidValue, NotFound, Refused
from ledger.values.identity import agent_stream
from ledger.values.money import text_from_micros

MAX_MICROS = 10_000_000_000 * 1_000_000
MAX_COMMISSION_BPS = 5_000


def register_agent(
    ledger: Ledger, *, agent: str, currency: str, terms: AgentTerms, operator: str, now: datetime
) -> int:
    """Register an agent and return the position; raises InvalidValue, or Refused where there is one of this code."""
    checked_code(agent, what="agent")
    checked_code(operator, what="operator")
    checked_currency(currency)
    _check_terms(terms)
    stream = agent_stream(agent)

    def decide() -> Sequence[Event]:
        if ledger.newest(stream)[1]:
            raise Refused(f"agent {agent!r} is registered already; change the terms, or choose another code")
        state = AgentState(terms=terms, currency=currency)
        return [Event(stream, 1, AgentRegistered(agent=agent, operator=operator, state=state, recorded_at=now))]

    return appended(ledger, decide)


def change_agent_terms(ledger: Ledger, *, agent: str, terms: AgentTerms, operator: str, now: datetime) -> int:
    """Set an agent's terms from the next sale on; return the position, 0 where they hold already."""
    checked_code(operator, what="operator")
    _check_terms(terms)

    def decide() -> Sequence[Event]:
        state, version = agent_state(ledger, agent)
        if state.terms == terms:
            return []
        fact = AgentTermsChanged(
            agent=agent,
            operator=operator,
            state=msgspec.structs.replace(state, terms=terms),
            recorded_at=now,
        )
        return [Event(agent_stream(agent), version + 1, fact)]

    return appended(ledger, decide)


def deposit(ledger: Ledger, *, agent: str, amount_micros: int, bank: str, by: By) -> Booked:
    """Book that an agent handed cash over, once per key; more than they hold is paid ahead."""
    by.check()
    checked_code(bank, what="bank")
    checked_amount(amount_micros, what="deposit", most_micros=MAX_MICROS)

    def decide() -> Sequence[Event]:
        state, version = agent_state(ledger, agent)
        after = msgspec.structs.replace(
            state,
            held_micros=state.held_micros - amount_micros,
            deposited_micros=state.deposited_micros + amount_micros,
        )
        fact = AgentDeposited(
            agent=agent,
            amount_micros=amount_micros,
            bank=bank,
            reason=by.reason,
            operator=by.operator,
            key_hash=by.key_hash,
            state=after,
            recorded_at=by.now,
        )
        return [Event(agent_stream(agent), version + 1, booked(fact))]

    content = {"agent": agent, "amount_micros": str(amount_micros), "bank": bank}
    content |= {"reason": by.reason, "operator": by.operator}
    return appended_once(ledger, decide, command=Command(f"deposit/{checked_key(by.key)}", content))


def agent_state(ledger: Ledger, agent: str) -> tuple[AgentState, int]:
    """Return an agent as the newest event leaves them, and its version; raises NotFound."""
    fact, version = ledger.newest(agent_stream(checked_code(agent, what="agent")))
    if not isinstance(fact, AGENT_FACTS):
        raise NotFound(f"there is no agent {agent!r}; register them first, or check the code")
    return fact.state, version


def _check_terms(terms: AgentTerms) -> None:
    wrong = []
    if not 0 <= terms.commission_bps <= MAX_COMMISSION_BPS:
        wrong.append(f"commission of {terms.commission_bps / 100:g}% is not from 0 to {MAX_COMMISSION_BPS // 100}%")
    if terms.commission_fixed_micros < 0:
        wrong.append(f"fixed commission {text_from_micros(terms.commission_fixed_micros)} is below zero")
    if not 0 <= terms.float_limit_micros <= MAX_MICROS:
        wrong.append(f"float limit {text_from_micros(terms.float_limit_micros)} is below zero, or beyond all sense")
    if wrong:
        raise InvalidValue("; ".join(wrong) + "; give an agent other terms")
