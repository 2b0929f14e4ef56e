"""What credit policy makes of an account's money: emergency credit, debt agreed and collected, charges that accrue.

Facts of the Account stream. Amounts are micro-units; a local week is from Monday (`2026-W47`).
"""

from datetime import date
from typing import Literal

import msgspec

from ledger.domain.account_facts import AdvanceTax, Booked, Ordered
from ledger.domain.event import Fact, Posting, fact_type

DebtSource = Literal["balance", "brought-forward"]


@fact_type("account.emergency-credit-taken/1")
class EmergencyCreditTaken(Ordered, frozen=True, kw_only=True):
    """The consumer took emergency credit: until it is paid back they may go `limit_micros` below the cut-off line.

    `balance_micros` is what there was then, `channel` how they asked.
    """

    limit_micros: int
    balance_micros: int
    channel: str


@fact_type("account.debt-agreed/1")
class DebtAgreed(Booked, frozen=True, kw_only=True):
    """The consumer owes this and repays it by the policy: what the balance is below zero, or an older debt."""

    amount_micros: int
    source: DebtSource


@fact_type("account.instalment-collected/1")
class InstalmentCollected(Fact, frozen=True, kw_only=True):
    """A local day's instalment on the debt came off the balance; it counts in the local week's cap."""

    account: str
    local_date: date
    week: str
    amount_micros: int
    taxes: list[AdvanceTax] = msgspec.field(default_factory=list)
    postings: list[Posting] = msgspec.field(default_factory=list)


@fact_type("account.charge-accrued/1")
class ChargeAccrued(Fact, frozen=True, kw_only=True):
    """What the calendar charged for a supply point that was off is owed beside the balance, until a top-up pays it.

    `debit_position` is the charge's event, `debit_version` its place in the supply point's meter stream.
    """

    account: str
    supply: str
    debit_position: int
    debit_version: int
    amount_micros: int
    taxes: list[AdvanceTax] = msgspec.field(default_factory=list)
    postings: list[Posting] = msgspec.field(default_factory=list)
