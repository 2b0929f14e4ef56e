"""Consumer accounts: opened, credited, put right, closed. Written by use cases; debits live in the meter streams."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

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
from ledger.domain.credit.applying import Applied, part_micros
from ledger.domain.credit.facts import ChargeAccrued, EmergencyCreditTaken, InstalmentCollected
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

    `applied` says what the top-up went to, in the order in which it was applied, and adds up to the amount; empty
    where no balance could be known. What of it paid debt counts in the local `week`'s cap. `is_repaid` ends the
    emergency credit. `payer` is who paid for several accounts at once. `agent` sold it and gave out the receipt of
    this number.
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
    applied: list[Applied] = msgspec.field(default_factory=list)
    week: str = ""
    is_repaid: bool = False
    payer: str = ""
    agent: str = ""
    receipt_number: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its own events leave it; its balance is a projection, for debits are in other streams.

    `undone` has, by the position of a top-up, the version in this stream of what took it away; `given_back_micros`,
    by the position of a debit, what was given back of it; `disputes` are those that are open, `notice_until` is until
    when nobody is cut. `emergency` is the emergency credit that is taken and not paid back, `collected_micros` what
    the local `collected_week` repaid of the debt, `accrued_to` the newest charge of each supply point that accrued.
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
    notice_until: datetime | None = None
    emergency: EmergencyCreditTaken | None = None
    collected_week: str = ""
    collected_micros: int = 0
    accrued_to: Mapping[str, int] = field(default_factory=dict)


def evolve(account: Account | None, fact: Fact) -> Account:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, AccountOpened):
        return Account(code=fact.account, site=fact.site, currency=fact.currency, version=1)
    if account is None:
        raise AssertionError(f"an account stream begins with its opening, not with {fact}")
    return _changed(replace(account, version=account.version + 1), fact)


def _changed(account: Account, fact: Fact) -> Account:  # noqa: PLR0911 - a case per fact
    match fact:
        case AccountCredited():
            return _credited(account, fact)
        case EmergencyCreditTaken():
            return replace(account, emergency=fact)
        case InstalmentCollected():
            return _collected(account, fact.week, fact.amount_micros)
        case ChargeAccrued():
            return replace(account, accrued_to={**account.accrued_to, fact.supply: fact.debit_version})
        case DebitCorrected():
            given = account.given_back_micros.get(fact.debit_position, 0) - fact.amount_micros
            return replace(account, given_back_micros={**account.given_back_micros, fact.debit_position: given})
        case DisputeOpened():
            return replace(account, disputes={**account.disputes, fact.dispute: fact})
        case DisputeResolved():
            left = {code: row for code, row in account.disputes.items() if code != fact.dispute}
            return replace(account, disputes=left)
        case AccountClosed():
            return replace(account, is_closed=True, emergency=None)
        case _:
            return _undone(account, fact)


def _credited(account: Account, fact: AccountCredited) -> Account:
    credited = replace(account, credited_micros=account.credited_micros + fact.amount_micros)
    repaid = part_micros(fact.applied, "debt")
    if repaid:
        credited = _collected(credited, fact.week, repaid)
    return replace(credited, emergency=None) if fact.is_repaid else credited


def _collected(account: Account, week: str, amount_micros: int) -> Account:
    """Add to what a local week repaid; another week begins at nothing."""
    before = account.collected_micros if account.collected_week == week else 0
    return replace(account, collected_week=week, collected_micros=before + amount_micros)


def _undone(account: Account, fact: Fact) -> Account:
    if isinstance(fact, UNDOING):
        notices = [row for row in (account.notice_until, fact.notice_until) if row is not None]
        undone = {**account.undone, fact.top_up_position: account.version}
        return replace(account, undone=undone, notice_until=max(notices, default=None))
    if not isinstance(fact, Ordered | TransferReceived):
        raise AssertionError(f"{type(fact).__name__} does not belong to an account stream")
    return account
