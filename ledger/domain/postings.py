"""Balanced transactions of priced usage and of money paid in (pure, I1); `booking` knows every kind of fact."""

from collections.abc import Iterable
from functools import lru_cache

from ledger.domain import chart
from ledger.domain.event import Posting
from ledger.domain.meter import Difference
from ledger.rating.lines import Line


def debit_postings(*, account: str, lines: Iterable[Line]) -> list[Posting]:
    """Book a priced usage: the consumer's prepayment is used up, revenue and taxes are earned at supply.

    A tax that fell due when the money was paid comes off the account's tax on advances.
    """
    totals: dict[tuple[str, bool], int] = {}
    owed = 0
    for line in lines:
        key, amount = _code(line.component, line.tax, line.allowance, line.at_payment), line.amount_micros
        totals[key] = totals[key] + amount if key in totals else amount
        owed += amount
    postings = [Posting(chart.PREPAYMENT, account, owed)]
    for (code, is_accounts), amount in totals.items():
        postings.append(Posting(code, account if is_accounts else "", -amount))
    return balanced(postings)


def correction_postings(lines: Iterable[Difference]) -> list[Posting]:
    """Book what a correction changes: each account pays its difference or gets it back, by the debits' codes."""
    owed: dict[str, int] = {}
    totals: dict[tuple[str, str], int] = {}
    for line in lines:
        code, is_accounts = _code(line.component, line.tax, line.allowance, line.at_payment)
        key, amount = (code, line.account if is_accounts else ""), line.amount_micros
        totals[key] = totals.get(key, 0) + amount
        owed[line.account] = owed.get(line.account, 0) + amount
    postings = [Posting(chart.PREPAYMENT, account, amount) for account, amount in owed.items()]
    postings += [Posting(code, owner, -amount) for (code, owner), amount in totals.items()]
    return balanced(postings)


@lru_cache(maxsize=4096)
def _code(component: str, tax: bool, allowance: bool, at_payment: bool) -> tuple[str, bool]:
    """Return the code of a line, and whether it belongs to the account."""
    if allowance:
        return chart.ALLOWANCES, False
    if at_payment:
        return chart.tax_on_advances(component), True
    return chart.tax_payable(component) if tax else chart.revenue(component), False


def top_up_postings(
    *,
    account: str,
    channel: str,
    amount_micros: int,
    source: str = "",
    debt_micros: int = 0,
    accrued_micros: int = 0,
) -> list[Posting]:
    """Book a top-up: money received (in the channel's cash, or on `source`), owed to the consumer as electricity.

    What of it pays the consumer's debt, and charges that accrued, is not owed to them.
    """
    return balanced(
        [
            Posting(source or chart.cash(channel), "", amount_micros),
            Posting(chart.DEBT, account, -debt_micros),
            Posting(chart.ACCRUED_CHARGES, account, -accrued_micros),
            Posting(chart.PREPAYMENT, account, debt_micros + accrued_micros - amount_micros),
        ]
    )


def balanced(postings: list[Posting]) -> list[Posting]:
    """Return the postings less empty lines; a sum that isn't zero is our mistake and stops everything."""
    amounts = [posting.amount_micros for posting in postings]
    if sum(amounts) != 0:
        raise AssertionError(f"a transaction must sum to zero, this one sums to {sum(amounts)}: {postings}")
    return postings if all(amounts) else [posting for posting in postings if posting.amount_micros != 0]
