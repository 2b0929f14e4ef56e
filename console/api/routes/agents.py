"""Agents who sell top-ups: their terms, where they stand, their sales and what they deposit."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from console.api.access import AnyService, needing
from console.api.codes import AgentInPath
from console.api.keys import ApiKey
from console.api.orders import REFUSALS, FinanceOrders
from console.api.paging import CodeCursor, Limit, Page, PositionCursor, paged
from console.api.problems import Problem, responses
from console.api.values import Amount, Body, Code, PaidAmount, UnsignedAmount, amount_text
from ledger.domain.agent import AgentDeposited, AgentState, AgentTerms, receipt_text
from ledger.usecases.money.agents import agent_state, change_agent_terms, deposit, register_agent
from ledger.values.money import micros_from_text, text_from_micros
from projections.agents import AgentEntry, AgentRow, agent_entries, agents

router = APIRouter(prefix="/v1/agents", tags=["agents"])


class Terms(BaseModel):
    """What an agent earns with a sale, and how much cash they may hold."""

    commission_percent: str = Field(
        default="0",
        pattern=r"^([1-4]?[0-9](\.[0-9]{1,2})?|50(\.0{1,2})?)$",
        max_length=5,
        description="A share of each sale, in percent, 50 at most.",
        examples=["1.5"],
    )
    commission_fixed: UnsignedAmount = Field(default="0", description="And so much with each sale.")
    float_limit: UnsignedAmount = Field(
        description="How much cash the agent may hold before they deposit; 0: they deposit before they sell."
    )
    is_open: bool = Field(default=True, strict=True, description="Whether they may sell.")


class NewTerms(Terms, Body):
    """Terms from the next sale on, and who sets them."""

    operator: Code


class NewAgent(NewTerms):
    """Somebody who sells for us."""

    agent: Code
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217.", examples=["CNY"])


class Agent(BaseModel):
    """An agent at the ledger's head."""

    agent: str
    currency: str
    terms: Terms
    receipts: int = Field(description="The newest receipt's number; they have no gaps.")
    held: Amount = Field(description="The cash that they hold of ours; below zero is what they paid ahead.")
    sold: Amount
    undone: Amount
    commission: Amount
    deposited: Amount


class Entry(BaseModel):
    """A sale, an undone sale or a deposit; `held` is what the agent held after it."""

    kind: str = Field(examples=["sold"])
    at: datetime
    position: int
    receipt_number: str | None
    account: str | None
    amount: Amount
    commission: Amount
    held: Amount


class NewDeposit(Body):
    """Cash that an agent handed over."""

    amount: PaidAmount
    bank: Code = Field(default="bank", description="Where it went.")
    operator: Code


class DepositBooked(BaseModel):
    """Where the deposit stands in the ledger."""

    agent: str
    position: int
    is_repeat: bool = Field(description="Whether this key had booked it before.")


@router.get("", responses=responses(401, 403, 422, 429))
def list_agents(
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance", "auditor"))],
    limit: Limit = 100,
    cursor: CodeCursor = "",
) -> Page[Agent]:
    """List agents by code, as far as events are projected."""
    with services.reading() as connection:
        rows = agents(connection, after_=cursor, limit=limit + 1)
    return paged([_row(row) for row in rows], limit=limit, key=lambda row: row.agent)


@router.post("", status_code=201, responses=responses(401, 403, 409, 422, 429))
def register(body: NewAgent, services: AnyService, _key: Annotated[ApiKey, Depends(needing("finance"))]) -> Agent:
    """Register an agent; a key of theirs is made by `wattledger api-keys create --agent`."""
    register_agent(
        services.ledger,
        agent=body.agent,
        currency=body.currency,
        terms=_terms(body),
        operator=body.operator,
        now=services.now(),
    )
    return _state(body.agent, agent_state(services.ledger, body.agent)[0])


@router.get("/{agent}", responses=responses(401, 403, 404, 422, 429))
def show(
    agent: AgentInPath,
    services: AnyService,
    key: Annotated[ApiKey, Depends(needing("kiosk", "finance", "auditor"))],
) -> Agent:
    """Tell where an agent stands, at the ledger's head; an agent's own key asks about nobody else."""
    _check_own(key, agent)
    return _state(agent, agent_state(services.ledger, agent)[0])


@router.post("/{agent}/terms", status_code=201, responses=REFUSALS)
def set_terms(
    agent: AgentInPath,
    body: NewTerms,
    services: AnyService,
    _key: Annotated[ApiKey, Depends(needing("finance"))],
) -> Agent:
    """Set an agent's terms, from the next sale on."""
    change_agent_terms(services.ledger, agent=agent, terms=_terms(body), operator=body.operator, now=services.now())
    return _state(agent, agent_state(services.ledger, agent)[0])


@router.post("/{agent}/deposits", status_code=201, responses=REFUSALS)
def take_deposit(
    agent: AgentInPath,
    body: NewDeposit,
    orders: FinanceOrders,
) -> DepositBooked:
    """Book that an agent handed cash over, once per Idempotency-Key of this API key."""
    by = orders.by(reason="settled", operator=body.operator)
    booked = deposit(orders.ledger, agent=agent, amount_micros=micros_from_text(body.amount), bank=body.bank, by=by)
    return DepositBooked(agent=agent, position=booked.position, is_repeat=booked.is_repeat)


@router.get("/{agent}/entries", responses=responses(401, 403, 404, 422, 429))
def list_entries(
    agent: AgentInPath,
    services: AnyService,
    key: Annotated[ApiKey, Depends(needing("kiosk", "finance", "auditor"))],
    limit: Limit = 100,
    cursor: PositionCursor = 0,
) -> Page[Entry]:
    """List an agent's sales, undone sales and deposits in their order; a gap in the numbers would show here."""
    _check_own(key, agent)
    agent_state(services.ledger, agent)
    with services.reading() as connection:
        rows = agent_entries(connection, agent=agent, after=cursor, limit=limit + 1)
    more = str(rows[limit - 1].number) if len(rows) > limit else None
    return Page(items=[_entry(row) for row in rows[:limit]], next_cursor=more)


def _check_own(key: ApiKey, agent: str) -> None:
    if "kiosk" in key.scopes and len(key.scopes) == 1 and key.agent != agent:
        whose = f"agent {key.agent!r}" if key.agent else "no agent"
        raise Problem(403, f"API key {key.id} is that of {whose}; it may not ask about agent {agent!r}")


def _terms(body: NewTerms) -> AgentTerms:
    return AgentTerms(
        commission_bps=micros_from_text(body.commission_percent) // 10_000,
        commission_fixed_micros=micros_from_text(body.commission_fixed),
        float_limit_micros=micros_from_text(body.float_limit),
        is_open=body.is_open,
    )


def _state(agent: str, state: AgentState) -> Agent:
    return Agent(
        agent=agent,
        currency=state.currency,
        terms=Terms(
            commission_percent=f"{state.terms.commission_bps // 100}.{state.terms.commission_bps % 100:02d}",
            commission_fixed=text_from_micros(state.terms.commission_fixed_micros),
            float_limit=text_from_micros(state.terms.float_limit_micros),
            is_open=state.terms.is_open,
        ),
        receipts=state.receipts,
        held=text_from_micros(state.held_micros),
        sold=text_from_micros(state.sold_micros),
        undone=text_from_micros(state.undone_micros),
        commission=text_from_micros(state.commission_micros),
        deposited=text_from_micros(state.deposited_micros),
    )


def _row(row: AgentRow) -> Agent:
    return Agent(
        agent=row.agent,
        currency=row.currency,
        terms=Terms(
            commission_percent=f"{row.commission_bps // 100}.{row.commission_bps % 100:02d}",
            commission_fixed=amount_text(row.commission_fixed),
            float_limit=amount_text(row.float_limit),
            is_open=row.is_open,
        ),
        receipts=row.receipts,
        held=amount_text(row.held),
        sold=amount_text(row.sold),
        undone=amount_text(row.undone),
        commission=amount_text(row.commission),
        deposited=amount_text(row.deposited),
    )


def _entry(row: AgentEntry) -> Entry:
    fact = row.fact
    sale = None if isinstance(fact, AgentDeposited) else fact
    return Entry(
        kind=row.kind,
        at=fact.recorded_at,
        position=row.position,
        receipt_number=None if sale is None else receipt_text(sale.agent, sale.receipt_number),
        account=None if sale is None else sale.account,
        amount=text_from_micros(fact.amount_micros),
        commission=text_from_micros(0 if sale is None else sale.commission_micros),
        held=text_from_micros(fact.state.held_micros),
    )
