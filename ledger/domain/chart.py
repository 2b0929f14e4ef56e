"""The chart of accounts: the codes that postings are booked on.

Debits are positive and credits negative, so a consumer's balance is the negated sum of their prepayment lines.
"""

# What we owe: to consumers, to payers whom nobody knows, to consumers who are gone, to authorities.
PREPAYMENT = "liabilities:prepayment"
UNIDENTIFIED = "liabilities:unidentified-receipts"
UNCLAIMED = "liabilities:unclaimed-balances"
VAT_PAYABLE = "liabilities:vat"

# What is owed to us. Revenue accrued at a month's end is supply that no reading has told of yet.
DEBT = "assets:debt-receivable"
ACCRUED_REVENUE = "assets:accrued-revenue"
# What time charged consumers whose supply was off, until a top-up pays it.
ACCRUED_CHARGES = "assets:accrued-charges"
# What consumers owed before this ledger began.
BROUGHT_FORWARD = "equity:brought-forward"

ALLOWANCES = "expenses:allowances"
GIFTS = "expenses:gifts"
ADJUSTMENTS = "expenses:adjustments"
CHARGEBACKS = "expenses:chargebacks"
WRITE_OFFS = "expenses:write-offs"
ROUNDING = "expenses:rounding"

_TAX_ON_ADVANCES = "assets:tax-on-advances:"

# Components of a tariff are booked under their own names, which must not be one of ours.
RESERVED_COMPONENTS = frozenset(code.partition(":")[2] for code in (PREPAYMENT, UNIDENTIFIED, UNCLAIMED))


def cash(channel: str) -> str:
    """Return the code of money received through a channel and in our hands."""
    return f"assets:cash:{channel}"


def clearing(channel: str) -> str:
    """Return the code of money that a channel's provider has received for us and not yet paid out."""
    return f"assets:clearing:{channel}"


def agent_cash(agent: str) -> str:
    """Return the code of money that an agent has taken in for us and not yet deposited."""
    return f"assets:agents:{agent}"


def provider_fees(channel: str) -> str:
    """Return the code of what a channel's provider keeps for its service."""
    return f"expenses:provider-fees:{channel}"


def agent_commission(agent: str) -> str:
    """Return the code of what an agent who sells top-ups keeps; a channel's code for the agents of its provider."""
    return f"expenses:agent-commission:{agent}"


def revenue(component: str) -> str:
    """Return the code of revenue from a component of the tariff."""
    return f"income:{component}"


def tax_payable(component: str) -> str:
    """Return the code of a tax or levy owed to its authority."""
    return f"liabilities:{component}"


def tax_on_advances(component: str) -> str:
    """Return the code of a tax that fell due when money was paid in, until what it was paid for is supplied."""
    return f"{_TAX_ON_ADVANCES}{component}"


def taxed_component(code: str) -> str | None:
    """Return the component whose tax on advances a code is; None for any other code."""
    return code.removeprefix(_TAX_ON_ADVANCES) if code.startswith(_TAX_ON_ADVANCES) else None
