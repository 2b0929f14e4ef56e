"""The postings of a fact, whatever fact it is, and their sums by code and account."""

from collections.abc import Iterator, Sequence

from ledger.domain.event import Fact, Posting

_NONE: list[Posting] = []


def postings_of(fact: Fact) -> list[Posting]:
    """Return a fact's postings, none where it moves no money.

    By the field's name, as the journal view reads it: a list of types would lose the money of one forgotten.
    """
    postings: list[Posting] = getattr(fact, "postings", _NONE)
    return postings


class Frame:
    """What postings that belong together come to: micro-units and their number, by code and account."""

    __slots__ = ("_totals",)

    def __init__(self) -> None:
        # Code by code, for accounts are many and codes few: no tuple is made for each posting.
        self._totals: dict[str, dict[str, list[int]]] = {}

    def add(self, postings: Sequence[Posting]) -> None:
        """Add an event's postings."""
        for posting in postings:
            by_account = self._totals.get(posting.code)
            if by_account is None:
                by_account = self._totals[posting.code] = {}
            total = by_account.get(posting.account)
            if total is None:
                by_account[posting.account] = [posting.amount_micros, 1]
            else:
                total[0] += posting.amount_micros
                total[1] += 1

    def merge(self, other: "Frame") -> None:
        """Add what another frame came to."""
        if not self._totals:
            self._totals = {
                code: {account: list(total) for account, total in by_account.items()}
                for code, by_account in other._totals.items()
            }
            return
        for code, account, amount_micros, count in other.rows():
            total = self._totals.setdefault(code, {}).setdefault(account, [0, 0])
            total[0] += amount_micros
            total[1] += count

    def rows(self) -> Iterator[tuple[str, str, int, int]]:
        """Yield code, account, micro-units and number of postings."""
        for code, by_account in self._totals.items():
            for account, (amount_micros, count) in by_account.items():
                yield code, account, amount_micros, count
