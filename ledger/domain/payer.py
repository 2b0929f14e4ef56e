"""Payers: who pays for several accounts, as an estate or a dormitory does."""

from ledger.domain.event import Fact, fact_type


@fact_type("payer.accounts-set/1")
class PayerAccountsSet(Fact, frozen=True, kw_only=True):
    """From here on the payer, a code of ours, pays for these accounts."""

    payer: str
    accounts: tuple[str, ...]
    operator: str
