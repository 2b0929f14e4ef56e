"""Money that comes in without an account: receipts nobody can place, and what providers pay out of their clearing."""

import msgspec

from ledger.domain.event import Fact, Posting, fact_type


@fact_type("receipt.kept/1")
class ReceiptKept(Fact, frozen=True, kw_only=True):
    """Money came in through a channel and nobody knows for whom; `receipt` is a code of ours."""

    receipt: str
    amount_micros: int
    channel: str
    reference_hash: str
    operator: str
    key_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("receipt.identified/1")
class ReceiptIdentified(Fact, frozen=True, kw_only=True):
    """The receipt was an account's top-up, which an `account.credited` of the same transaction books."""

    receipt: str
    account: str
    amount_micros: int
    operator: str


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
