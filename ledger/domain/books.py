"""The books as a whole: the zone whose months they keep, months closed in order, and balances as they closed.

Written by use cases, one stream for the ledger. A billing period (rating) is another thing than an accounting month.
"""

from dataclasses import dataclass, replace

import msgspec

from ledger.domain.event import Fact, fact_type

UTC_ZONE = "UTC"


@fact_type("books.zone-set/1")
class AccountingZoneSet(Fact, frozen=True, kw_only=True):
    """Accounting months begin and end at midnight of this IANA time zone; set before anything is booked, or UTC."""

    zone: str


@fact_type("books.month-closed/1")
class MonthClosed(Fact, frozen=True, kw_only=True):
    """From this position on nothing enters the month (`2026-07`): what arrives for it later goes to the open month.

    Where it was closed although readings were missing, `missing_supplies` is of how many supply points they were, and
    `missing` names the first hundred.
    """

    month: str
    zone: str
    operator: str
    missing_supplies: int = 0
    missing: list[str] = msgspec.field(default_factory=list)


class ClosedBalance(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the months up to a closing come to on a code of the chart, for one account; debits are positive."""

    account: str
    code: str
    amount_micros: int


@fact_type("books.balances-closed/1")
class BalancesClosed(Fact, frozen=True, kw_only=True):
    """Balances at a month's closing, part `part` of `parts`, ordered by account and code; all parts sum to zero.

    They follow their closing in the stream. Nothing can change them: a closed month takes nothing in.
    """

    month: str
    part: int
    parts: int
    balances: list[ClosedBalance]


@dataclass(frozen=True, slots=True)
class Books:
    """The books as their events leave them: `closed_to` is the last closed month, empty while none is.

    `parts_kept` of the last closing's `parts` are recorded; the number of parts is −1 until the first is.
    """

    zone: str = UTC_ZONE
    closed_to: str = ""
    parts_kept: int = 0
    parts: int = -1

    @property
    def is_balanced(self) -> bool:
        """Whether the last closing has all of its balances recorded."""
        return not self.closed_to or self.parts_kept == self.parts


OPEN = Books()


def evolve(books: Books, fact: Fact) -> Books:
    """Apply a fact of the stream; validation was done before it was recorded."""
    match fact:
        case AccountingZoneSet():
            return replace(books, zone=fact.zone)
        case MonthClosed():
            return Books(zone=fact.zone, closed_to=fact.month)
        case BalancesClosed():
            return replace(books, parts_kept=fact.part, parts=fact.parts)
        case _:
            raise AssertionError(f"{type(fact).__name__} does not belong to the stream of the books")
