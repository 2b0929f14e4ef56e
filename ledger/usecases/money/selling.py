"""A sale by an agent: its receipt number, what the agent earns, and whether they may hold so much cash."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from ledger.domain import chart
from ledger.domain.account import Account, AccountCredited
from ledger.domain.agent import AgentSaleUndone, AgentSold, AgentState
from ledger.domain.booking import booked
from ledger.domain.event import Event
from ledger.store.application import Ledger
from ledger.usecases.money.agents import agent_state
from ledger.usecases.money.attempt import Attempt
from ledger.values.errors import Refused
from ledger.values.identity import agent_stream
from ledger.values.money import text_from_micros


class FloatExceeded(Refused):
    """An agent would hold more cash than they may; they deposit first."""


@dataclass(frozen=True, slots=True)
class Sale:
    """The sale's event, and what the top-up beside it says of it."""

    event: Event
    agent: str
    receipt_number: int

    @property
    def source(self) -> str:
        """The code that the money came in on."""
        return chart.agent_cash(self.agent)


def sale(ledger: Ledger, *, agent: str, account: Account, amount_micros: int, now: datetime) -> Sale:
    """Return the next sale of an agent; raises Refused, FloatExceeded, or NotFound for an unknown agent."""
    state, version = agent_state(ledger, agent)
    terms = state.terms
    if not terms.is_open:
        raise Refused(f"agent {agent!r} may not sell; open them again (agents terms {agent} --open), or use another")
    if state.currency != account.currency:
        raise Refused(f"agent {agent!r} sells in {state.currency}, account {account.code!r} is in {account.currency}")
    commission_micros = terms.commission_micros(amount_micros)
    held_micros = state.held_micros + amount_micros - commission_micros
    if held_micros > terms.float_limit_micros:
        _refuse(agent, state, amount_micros, held_micros)
    after = msgspec.structs.replace(
        state,
        receipts=state.receipts + 1,
        held_micros=held_micros,
        sold_micros=state.sold_micros + amount_micros,
        commission_micros=state.commission_micros + commission_micros,
    )
    fact = AgentSold(
        agent=agent,
        receipt_number=after.receipts,
        account=account.code,
        amount_micros=amount_micros,
        commission_micros=commission_micros,
        state=after,
        recorded_at=now,
    )
    return Sale(Event(agent_stream(agent), version + 1, booked(fact)), agent, after.receipts)


def undo_sale(attempt: Attempt, top_up: AccountCredited, position: int) -> None:
    """Say that the agent gave a top-up's money back, and what they had earned by it; the reversal books the rest."""
    # A sale stands right before its top-up: one transaction appends both, in this order.
    sold = attempt.logged(position - 1).fact
    if not isinstance(sold, AgentSold) or sold.receipt_number != top_up.receipt_number:
        raise AssertionError(f"the event before the top-up at {position} is {sold.topic}, not its sale")
    state, version = agent_state(attempt.ledger, top_up.agent)
    after = msgspec.structs.replace(
        state,
        held_micros=state.held_micros - sold.amount_micros + sold.commission_micros,
        undone_micros=state.undone_micros + sold.amount_micros,
        commission_micros=state.commission_micros - sold.commission_micros,
    )
    fact = AgentSaleUndone(
        agent=top_up.agent,
        receipt_number=top_up.receipt_number,
        account=top_up.account,
        top_up_position=position,
        amount_micros=sold.amount_micros,
        commission_micros=sold.commission_micros,
        operator=attempt.by.operator,
        state=after,
        recorded_at=attempt.by.now,
    )
    attempt.events.append(Event(agent_stream(top_up.agent), version + 1, booked(fact)))


def _refuse(agent: str, state: AgentState, amount_micros: int, held_micros: int) -> None:
    limit_micros = state.terms.float_limit_micros
    raise FloatExceeded(
        f"agent {agent!r} holds {text_from_micros(state.held_micros)} {state.currency} of at most"
        f" {text_from_micros(limit_micros)}; a sale of {text_from_micros(amount_micros)} would bring it to"
        f" {text_from_micros(held_micros)}: deposit {text_from_micros(held_micros - limit_micros)} or more first"
    )
