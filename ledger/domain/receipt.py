"""Money that comes in without an account: receipts nobody can place, and what providers pay out of their clearing."""

from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from ledger.domain import chart
from ledger.domain.event import Fact, Posting, fact_type

Outcome = Literal["kept", "identified", "returned"]


@fact_type("receipt.kept/1")
class ReceiptKept(Fact, frozen=True, kw_only=True):
    """Money came in through a channel and nobody knows for whom; `receipt` is a code of ours.

    `source` is the code that the money came in on, the channel's cash where it is empty; `currency` what it is in,
    empty where nobody said.
    """

    receipt: str
    amount_micros: int
    channel: str
    reference_hash: str
    operator: str
    key_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)
    source: str = ""
    currency: str = ""

    @property
    def money(self) -> str:
        """The code of the chart that the money is on."""
        return self.source or chart.cash(self.channel)


@fact_type("receipt.identified/1")
class ReceiptIdentified(Fact, frozen=True, kw_only=True):
    """The receipt was an account's top-up, which an `account.credited` of the same transaction books."""

    receipt: str
    account: str
    amount_micros: int
    operator: str


@fact_type("receipt.reopened/1")
class ReceiptReopened(Fact, frozen=True, kw_only=True):
    """The receipt was not that account's after all: the reversal of its top-up, in the same transaction, books it."""

    receipt: str
    account: str
    amount_micros: int
    operator: str


@fact_type("receipt.returned/1")
class ReceiptReturned(Fact, frozen=True, kw_only=True):
    """The money went back to whoever had sent it; `source` is the code that it left."""

    receipt: str
    amount_micros: int
    source: str
    reason: str
    operator: str
    key_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("receipt.clearing-settled/1")
class ClearingSettled(Fact, frozen=True, kw_only=True):
    """A provider paid out what it had received for us, less its fees and what its agents keep."""

    channel: str
    gross_micros: int
    fees_micros: int
    commission_micros: int
    bank: str
    operator: str
    key_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("receipt.provider-fee-kept/1")
class ProviderFeeKept(Fact, frozen=True, kw_only=True):
    """A provider keeps so much of a payment, which `reference_hash` names, out of what it has for us."""

    channel: str
    amount_micros: int
    reference_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as its events leave it: what was kept, and what became of it; `account` has it while identified."""

    kept: ReceiptKept
    outcome: Outcome = "kept"
    account: str = ""


def evolve(receipt: Receipt | None, fact: Fact) -> Receipt:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, ReceiptKept):
        return Receipt(fact)
    if receipt is None:
        raise AssertionError(f"a receipt's stream begins with its keeping, not with {fact}")
    match fact:
        case ReceiptIdentified():
            return replace(receipt, outcome="identified", account=fact.account)
        case ReceiptReopened():
            return replace(receipt, outcome="kept", account="")
        case ReceiptReturned():
            return replace(receipt, outcome="returned")
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to a receipt's stream")
