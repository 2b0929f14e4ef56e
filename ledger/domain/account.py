"""Consumer accounts: opened, credited. Written by use cases; debits live in the meter streams."""

from dataclasses import dataclass, replace

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
    SHA-256 of the caller's idempotency key.
    """

    account: str
    amount_micros: int
    channel: str
    reference_hash: str
    key_hash: str
    postings: list[Posting]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its own events leave it; its balance is a projection, for debits are in other streams."""

    code: str
    site: str
    currency: str
    credited_micros: int = 0


def evolve(account: Account | None, fact: Fact) -> Account:
    """Apply a fact of the stream; validation was done before it was recorded."""
    if isinstance(fact, AccountOpened):
        return Account(code=fact.account, site=fact.site, currency=fact.currency)
    if account is None:
        raise AssertionError(f"an account stream begins with its opening, not with {fact}")
    match fact:
        case AccountCredited():
            return replace(account, credited_micros=account.credited_micros + fact.amount_micros)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to an account stream")
