"""Agents who sell top-ups for cash: their terms, every sale with its receipt number, and the cash that they hold.

Written by use cases, one stream per agent. Every event carries the agent's whole state after it, so that knowing one
is reading its newest row, however much was sold. Receipt numbers are the stream's own count: a sale and its number
are booked in one transaction, or neither is, so there is no gap and no double.
"""

import msgspec

from ledger.domain.event import Fact, Posting, fact_type


class AgentTerms(msgspec.Struct, frozen=True, gc=False):
    """What an agent earns with a sale, and how much cash they may hold before they settle.

    The commission is a share of the sale in basis points and a fixed amount, together at most the sale. A limit of
    zero makes an agent deposit before they sell. `is_open` is false for one who may not sell.
    """

    commission_bps: int
    commission_fixed_micros: int
    float_limit_micros: int
    is_open: bool = True

    def commission_micros(self, amount_micros: int) -> int:
        """Return what a sale earns, rounded down to the micro-unit: never more than the sale."""
        share_micros = amount_micros * self.commission_bps // 10_000
        return min(share_micros + self.commission_fixed_micros, amount_micros)


class AgentState(msgspec.Struct, frozen=True, gc=False):
    """An agent after an event: terms, the newest receipt's number, and sums since the beginning.

    `held_micros` is what they hold of ours: sold less what was undone, less commission, less what they deposited.
    """

    terms: AgentTerms
    currency: str
    receipts: int = 0
    held_micros: int = 0
    sold_micros: int = 0
    undone_micros: int = 0
    commission_micros: int = 0
    deposited_micros: int = 0


@fact_type("agent.registered/1")
class AgentRegistered(Fact, frozen=True, kw_only=True):
    """Somebody sells for us; `agent` is a code of ours."""

    agent: str
    operator: str
    state: AgentState


@fact_type("agent.terms-changed/1")
class AgentTermsChanged(Fact, frozen=True, kw_only=True):
    """From the next sale on these terms hold."""

    agent: str
    operator: str
    state: AgentState


@fact_type("agent.sold/1")
class AgentSold(Fact, frozen=True, kw_only=True):
    """A sale with its receipt number. The top-up is the next event; what the agent earned by it is booked here."""

    agent: str
    receipt_number: int
    account: str
    amount_micros: int
    commission_micros: int
    state: AgentState
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("agent.sale-undone/1")
class AgentSaleUndone(Fact, frozen=True, kw_only=True):
    """A sale was reversed: the agent gave the money back, and the commission with it. Its number stays used."""

    agent: str
    receipt_number: int
    account: str
    top_up_position: int
    amount_micros: int
    commission_micros: int
    operator: str
    state: AgentState
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("agent.deposited/1")
class AgentDeposited(Fact, frozen=True, kw_only=True):
    """An agent handed over cash that they held for us, or pays ahead; `bank` is where it went."""

    agent: str
    amount_micros: int
    bank: str
    reason: str
    operator: str
    key_hash: str
    state: AgentState
    postings: list[Posting] = msgspec.field(default_factory=list)


AnyAgentFact = AgentRegistered | AgentTermsChanged | AgentSold | AgentSaleUndone | AgentDeposited
AGENT_FACTS = (AgentRegistered, AgentTermsChanged, AgentSold, AgentSaleUndone, AgentDeposited)


def receipt_text(agent: str, number: int) -> str:
    """Return a receipt's number as it is printed: `lobby-000042`."""
    return f"{agent}-{number:06d}"
