"""The chart of accounts: the codes that postings are booked on.

Debits are positive and credits negative, so a consumer's balance is the negated sum of their prepayment lines.
"""

PREPAYMENT = "liabilities:prepayment"
VAT_PAYABLE = "liabilities:vat"

ALLOWANCES = "expenses:allowances"


def cash(channel: str) -> str:
    """Return the code of money received through a channel."""
    return f"assets:cash:{channel}"


def revenue(component: str) -> str:
    """Return the code of revenue from a component of the tariff."""
    return f"income:{component}"


def tax_payable(component: str) -> str:
    """Return the code of a tax or levy owed to its authority."""
    return f"liabilities:{component}"
