"""Consumer accounts: opened, credited, put right, closed. Written by use cases; debits live in the meter streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from ledger.domain.account_facts import (
    UNDOING,
    AccountClosed,
    AdvanceTax,
    DebitCorrected,
    DisputeOpened,
    DisputeResolved,
    Ordered,
    TransferReceived,
)
from ledger.domain.event import Fact, Posting, fact_type


@fact_type("account.opened/1")
class AccountOpened(Fact, frozen=True, kw_only=True):
    """An account exists; `currency` is the ledger's (ISO 4217)."""

    account: str
    site: str
    currency: str


@fact_type("account.credited/1")
class AccountCredited(Fact, frozen=True, kw_only=True):
    """A top-up reached the account through a channel.

    `reference_hash` is the keyed hash of the channel's own reference, never the reference itself. `key_hash` is the
    SHA-256 of the caller's idempotency key. `source` is the code that the money came in on, the channel's cash where
    it is empty. `receipt_position` is the unidentified receipt that turned out to be this top-up. `taxes` fell due
    with the payment.
    """

    account: str
    amount_micros: int
    channel: str
    reference_hash: str
    key_hash: str
    postings: list[Posting] = msgspec.field(default_factory=list)
    source: str = ""
    receipt_position: int = 0
    taxes: list[AdvanceTax] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its own events leave it; its balance is a projection, for debits are in other streams.

    `undone` has, by the position of a top-up, the version in this stream of what took it away; `given_back_micros`,
    by the position of a debit, what was given back of it; `disputes` are those that are open.
    """

    code: str
    site: str
    currency: str
    credited_micros: int = 0
    version: int = 0
    is_closed: bool = False
    undone: Mapping[int, int] = field(default_factory=dict)
    given_back_micros: Mapping[int, int] = field(default_factory=dict)
    disputes: Mapping[str, DisputeOpened] = field(default_factory=dict)


def evolve(account: Account | None, fact: Fact) -> Account:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, AccountOpened):
        return Account(code=fact.account, site=fact.site, currency=fact.currency, version=1)
    if account is None:
        raise AssertionError(f"an account stream begins with its opening, not with {fact}")
    return _changed(replace(account, version=account.version + 1), fact)


def _changed(account: Account, fact: Fact) -> Account:
    match fact:
        case AccountCredited():
            return replace(account, credited_micros=account.credited_micros + fact.amount_micros)
        case DebitCorrected():
            given = account.given_back_micros.get(fact.debit_position, 0) - fact.amount_micros
            return replace(account, given_back_micros={**account.given_back_micros, fact.debit_position: given})
        case DisputeOpened():
            return replace(account, disputes={**account.disputes, fact.dispute: fact})
        case DisputeResolved():
            left = {code: row for code, row in account.disputes.items() if code != fact.dispute}
            return replace(account, disputes=left)
        case AccountClosed():
            return replace(account, is_closed=True)
        case _:
            return _undone(account, fact)


def _undone(account: Account, fact: Fact) -> Account:
    if isinstance(fact, UNDOING):
        return replace(account, undone={**account.undone, fact.top_up_position: account.version})
    if not isinstance(fact, Ordered | TransferReceived):
        raise AssertionError(f"{type(fact).__name__} does not belong to an account stream")
    return account
