"""The taxes in money paid for electricity to come, where they fall due at payment (`tax_point = "payment"`)."""

from fractions import Fraction

from ledger.rating.exact import spreads
from ledger.rating.tariff import Tariff


def tax_shares(tariff: Tariff) -> dict[str, Fraction]:
    """Return the share of each tax in an advance, tax included; empty where taxes fall due at supply.

    Nobody knows yet what the advance will be used on: it is taken to go to the charge that is taxed most, with the
    levies and taxes that are on it. What is used otherwise comes right when the taxes are set straight next.
    """
    if tariff.tax_point != "payment" or not tariff.taxes:
        return {}
    components = tariff.components
    at = {thing.component: number for number, thing in enumerate(components)}
    rows = spreads(components)[: len(tariff.charges)]

    def shares(row: tuple[Fraction, ...]) -> dict[str, Fraction]:
        total = sum(row, Fraction(0))
        return {tax.component: row[at[tax.component]] / total for tax in tariff.taxes}

    return max((shares(row) for row in rows), key=lambda share: sum(share.values(), Fraction(0)))
