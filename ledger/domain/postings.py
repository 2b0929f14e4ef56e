"""From an event to its balanced transaction: pure functions, one per kind of event that moves money (design I1)."""

from collections.abc import Iterable

from ledger.domain import chart
from ledger.domain.event import Posting
from ledger.domain.meter import Difference
from ledger.rating.lines import Line


def debit_postings(*, account: str, lines: Iterable[Line]) -> list[Posting]:
    """Book a priced usage: the consumer's prepayment is used up, revenue and taxes are earned at supply."""
    totals: dict[str, int] = {}
    owed = 0
    for line in lines:
        code, amount = _code(line), line.amount_micros
        totals[code] = totals.get(code, 0) + amount
        owed += amount
    postings = [Posting(chart.PREPAYMENT, account, owed)]
    for code, amount in totals.items():
        postings.append(Posting(code, "", -amount))
    return balanced(postings)


def correction_postings(lines: Iterable[Difference]) -> list[Posting]:
    """Book what a correction changes: each account pays its difference or gets it back, by the debits' codes."""
    owed: dict[str, int] = {}
    totals: dict[str, int] = {}
    for line in lines:
        code, amount = _code(line), line.amount_micros
        totals[code] = totals.get(code, 0) + amount
        owed[line.account] = owed.get(line.account, 0) + amount
    postings = [Posting(chart.PREPAYMENT, account, amount) for account, amount in owed.items()]
    postings += [Posting(code, "", -amount) for code, amount in totals.items()]
    return balanced(postings)


def _code(line: Line | Difference) -> str:
    if line.allowance:
        return chart.ALLOWANCES
    return chart.tax_payable(line.component) if line.tax else chart.revenue(line.component)


def top_up_postings(*, account: str, channel: str, amount_micros: int) -> list[Posting]:
    """Book a top-up: money received, owed to the consumer as electricity."""
    return balanced(
        [
            Posting(chart.cash(channel), "", amount_micros),
            Posting(chart.PREPAYMENT, account, -amount_micros),
        ]
    )


def balanced(postings: list[Posting]) -> list[Posting]:
    """Return the postings less empty lines; a sum that isn't zero is our mistake and stops everything."""
    total = 0
    for posting in postings:
        total += posting.amount_micros
    if total != 0:
        raise AssertionError(f"a transaction must sum to zero, this one sums to {total}: {postings}")
    return [posting for posting in postings if posting.amount_micros != 0]
