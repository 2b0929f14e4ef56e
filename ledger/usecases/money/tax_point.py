"""Taxes that fall due at payment: what an account's advances hold of them, set straight with every command.

One rule: after a command the tax on an account's advances is, for each tax of the tariff in force, the tax's share of
the balance, rounded half away from zero to the micro-unit; and zero where the balance is zero or less. A command
books the difference against the tax payable. So a top-up makes tax due, a refund takes it back, and whatever debits
left behind (their own tax lines come off, which round, and which may be fewer than the advance was taken to have) is
gone with the next command, whatever the order.
"""

from datetime import datetime
from fractions import Fraction

from ledger.domain import supply as supply_stream_of
from ledger.domain import tariff as tariff_stream_of
from ledger.domain.account_facts import AdvanceTax
from ledger.domain.supply import Supply
from ledger.domain.tariff import TariffHistory, compiled
from ledger.rating.advances import tax_shares
from ledger.store.application import Ledger
from ledger.values.identity import supply_stream, tariff_stream
from ledger.values.money import divided_half_away


def advance_taxes(
    ledger: Ledger, *, account: str, balance_micros: int, standing_micros: dict[str, int], now: datetime
) -> list[AdvanceTax]:
    """Return what brings the tax on an account's advances to what it is for a balance (micro-units)."""
    shares = shares_of(ledger, account=account, now=now) if balance_micros > 0 else {}
    changes = {
        component: tax_in(balance_micros, shares.get(component, Fraction(0))) - standing_micros.get(component, 0)
        for component in sorted(shares.keys() | standing_micros.keys())
    }
    return [AdvanceTax(account, component, change) for component, change in changes.items() if change]


def tax_in(balance_micros: int, share: Fraction) -> int:
    """Return the tax that an advance holds, in micro-units, rounded half away from zero; none below zero."""
    return divided_half_away(max(balance_micros, 0) * share.numerator, share.denominator)


def shares_of(ledger: Ledger, *, account: str, now: datetime) -> dict[str, Fraction]:
    """Return the share of each tax in an account's advances, by the tariff in force for what it occupies.

    Empty where taxes fall due at supply, and where the account occupies nothing. Of several supply points on several
    tariffs the first by code whose tariff says "payment" counts.
    """
    for code in ledger.occupied_by(account):
        supply: Supply | None = ledger.folded(supply_stream(code), supply_stream_of.evolve, None)[0]
        occupancy = None if supply is None else supply.occupancy_at(now)
        if supply is None or occupancy is None or occupancy.account != account:
            continue
        shares = _shares_at(ledger, supply, now)
        if shares:
            return shares
    return {}


def _shares_at(ledger: Ledger, supply: Supply, now: datetime) -> dict[str, Fraction]:
    terms = supply.terms_at(now)
    if terms is None:
        return {}
    history: TariffHistory | None = ledger.folded(tariff_stream(terms.tariff), tariff_stream_of.evolve, None)[0]
    version = None if history is None else history.version_at(now)
    return {} if version is None else tax_shares(compiled(version.text, version.version).tariff)
