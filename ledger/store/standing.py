"""What stands on some accounts at the ledger's head, whatever number of debits led to it.

A checkpoint (the read models' sums, at their position) is carried on by the log from there, outside the gate. What
is decided on it is looked at once more inside: if one of the accounts moved meanwhile, it is decided anew. So no
decision reads an account's history, and none is taken on a balance that is not the newest.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger.domain import chart
from ledger.domain.event import Posting
from ledger.store.account_log import read_log_of
from ledger.store.log import Logged, head_of
from ledger.values.errors import LedgerError, Refused

# A checkpoint further back than this is rather waited for: for a landlord of very many supply points all that came
# since is looked through, and that takes a fifth of a second.
FURTHEST_BEHIND = 100_000


class BalancesBehind(Refused):
    """Balances are not known far enough."""


class Moved(LedgerError):
    """An account moved between the decision and its booking: decide again."""


@dataclass(slots=True)
class Standing:
    """Sums of the postings that belong to some accounts, by account and code, in micro-units at a position."""

    position: int = 0
    sums: dict[tuple[str, str], int] = field(default_factory=dict)

    def balance_micros(self, account: str) -> int:
        """Return what an account has to its credit."""
        return -self.sums.get((account, chart.PREPAYMENT), 0)

    def debt_micros(self, account: str) -> int:
        """Return what an account owes beside its balance."""
        return self.sums.get((account, chart.DEBT), 0)

    def accrued_micros(self, account: str) -> int:
        """Return what time charged an account while its supply was off, and no top-up has paid."""
        return self.sums.get((account, chart.ACCRUED_CHARGES), 0)

    def advance_taxes_micros(self, account: str) -> dict[str, int]:
        """Return the tax on an account's advances, by component of the tariff."""
        found = {
            component: amount
            for (owner, code), amount in self.sums.items()
            if owner == account and (component := chart.taxed_component(code)) is not None
        }
        return dict(sorted(found.items()))

    def follow(self, events: Iterable[Logged], accounts: Collection[str]) -> None:
        """Carry the sums of these accounts on by events in the order of the ledger."""
        for event in events:
            for posting in _postings(event):
                if posting.account in accounts:
                    key = (posting.account, posting.code)
                    self.sums[key] = self.sums.get(key, 0) + posting.amount_micros
            self.position = event.position


Checkpoint = Callable[[Connection[Any], Collection[str]], Standing]


def from_the_first(_connection: Connection[Any], _accounts: Collection[str]) -> Standing:
    """Return the standing before the first event: for a small ledger that has no read models."""
    return Standing()


def standing_of(connection: Connection[Any], accounts: Collection[str], checkpoint: Checkpoint) -> Standing:
    """Return what stands on these accounts at the head; raises Refused where the checkpoint is too far behind it."""
    standing = checkpoint(connection, accounts)
    head, _ = head_of(connection)
    if head - standing.position > FURTHEST_BEHIND:
        raise BalancesBehind(
            f"balances are known up to position {standing.position} only, the ledger is at {head};"
            " is `wattledger project` running? Try again when it has caught up"
        )
    standing.follow(read_log_of(connection, accounts=accounts, after=standing.position, upto=head), accounts)
    standing.position = max(standing.position, head)
    return standing


def check_unmoved(cursor: Cursor[TupleRow], standing: Standing, accounts: Collection[str]) -> None:
    """Raise Moved, inside the gate, where something was booked on one of these accounts since."""
    events = read_log_of(cursor.connection, accounts=accounts, after=standing.position)
    if any(posting.account in accounts for event in events for posting in _postings(event)):
        raise Moved("one of the accounts moved meanwhile")


def _postings(event: Logged) -> Iterable[Posting]:
    postings: Iterable[Posting] = getattr(event.fact, "postings", ())
    return postings
