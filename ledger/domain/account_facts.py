"""What happens to an account's money beside usage: each fact with its reason, its operator, and what it undoes.

Amounts are micro-units. A fact that undoes another names it by its position in the ledger, so that whoever reads
either finds the other. `key_hash` is the SHA-256 of the caller's idempotency key.
"""

from typing import Literal

import msgspec

from ledger.domain.event import Fact, Posting, fact_type
from ledger.domain.meter import Difference
from ledger.wire import Instant

Outcome = Literal["upheld", "rejected", "withdrawn"]


class AdvanceTax(msgspec.Struct, frozen=True, gc=False):
    """A change of the tax on an account's advances: above zero it falls due, below it is taken back."""

    account: str
    component: str
    amount_micros: int


class Ordered(Fact, frozen=True, kw_only=True):
    """What an operator orders: why (a code) and who; and who approved it, where two people had to decide."""

    account: str
    reason: str
    operator: str
    key_hash: str
    approved_by: str = ""
    proposal: str = ""


class Booked(Ordered, frozen=True, kw_only=True):
    """An order that moves money; `taxes` are what it changes of the tax on advances."""

    taxes: list[AdvanceTax] = msgspec.field(default_factory=list)
    postings: list[Posting] = msgspec.field(default_factory=list)


class Undone(Booked, frozen=True, kw_only=True):
    """A top-up that is taken away again, whole.

    What of it was still there, `unspent_micros`, comes off the balance; what was used up becomes debt, and until
    `notice_until` nobody is cut for what this leaves them with. `source` is the code that the money came in on.
    """

    top_up_position: int
    amount_micros: int
    unspent_micros: int
    debt_micros: int
    source: str
    notice_until: Instant | None = None


@fact_type("account.top-up-reversed/1")
class TopUpReversed(Undone, frozen=True, kw_only=True):
    """A top-up that never should have been is reversed."""


@fact_type("account.top-up-charged-back/1")
class TopUpChargedBack(Undone, frozen=True, kw_only=True):
    """The payer's bank took a top-up back, and `fee_micros` for its trouble, which we bear."""

    fee_micros: int


@fact_type("account.top-up-transferred/1")
class TopUpTransferred(Undone, frozen=True, kw_only=True):
    """A top-up that went to the wrong account goes to the right one; this fact books both accounts' sides."""

    to_account: str


@fact_type("account.transfer-received/1")
class TransferReceived(Fact, frozen=True, kw_only=True):
    """A misapplied top-up came from another account, whose `account.top-up-transferred` booked both sides."""

    account: str
    from_account: str
    top_up_position: int
    amount_micros: int


@fact_type("account.refunded/1")
class Refunded(Booked, frozen=True, kw_only=True):
    """Money was paid out of the balance through a channel."""

    amount_micros: int
    channel: str


@fact_type("account.adjusted/1")
class Adjusted(Booked, frozen=True, kw_only=True):
    """The balance was put right by hand, above zero in the consumer's favour; `against` is the code that bears it."""

    amount_micros: int
    against: str


@fact_type("account.debit-corrected/1")
class DebitCorrected(Booked, frozen=True, kw_only=True):
    """Part of a debit is given back, as after a meter fault: a share of each of its lines (`lines`, below zero)."""

    supply: str
    debit_position: int
    lines: list[Difference]
    amount_micros: int


@fact_type("account.written-off/1")
class WrittenOff(Booked, frozen=True, kw_only=True):
    """What the account owes is given up: of its debt, and of a balance below zero."""

    debt_micros: int
    overdrawn_micros: int


@fact_type("account.debt-collected/1")
class DebtCollected(Booked, frozen=True, kw_only=True):
    """Debt was paid through a channel; the balance is not touched."""

    amount_micros: int
    channel: str


@fact_type("account.closed/1")
class AccountClosed(Booked, frozen=True, kw_only=True):
    """The account is closed and its balance zero.

    What accrued (`accrued_micros`) becomes debt. A balance above zero pays the debt first; of the rest the currency's
    whole minor units go to the consumer through `channel` (or, without one, to unclaimed balances), and what is
    smaller to rounding. A balance below zero becomes debt. Late debits are booked still; closing again settles them.
    """

    channel: str
    debt_paid_micros: int
    paid_out_micros: int
    rounding_micros: int
    overdrawn_micros: int
    accrued_micros: int = 0


@fact_type("account.dispute-opened/1")
class DisputeOpened(Ordered, frozen=True, kw_only=True):
    """The consumer disputes an amount, and an event if they name one (else 0); meanwhile nobody is cut for credit."""

    dispute: str
    amount_micros: int
    about_position: int = 0


@fact_type("account.dispute-resolved/1")
class DisputeResolved(Ordered, frozen=True, kw_only=True):
    """A dispute of so much is over; `remedy_position` is the event that put it right, 0 where nothing had to be."""

    dispute: str
    amount_micros: int
    outcome: Outcome
    remedy_position: int = 0


UNDOING = (TopUpReversed, TopUpChargedBack, TopUpTransferred)
