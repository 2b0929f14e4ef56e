"""Everything that a supply point needs before its first debit, in one go that may be repeated."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ledger.domain import account as account_stream_of
from ledger.domain import supply as supply_stream_of
from ledger.domain.supply import Supply
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.values.identity import account_stream, supply_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyPoint:
    """A supply point as it is to be: where, which meter, who pays, at what price, since when; energies in mWh."""

    supply: str
    site: str
    concentrator: str
    meter: MeterFacts
    account: str
    currency: str
    tariff: str
    opening_milliwh: int
    since: datetime


def equip(ledger: Ledger, wanted: SupplyPoint, *, now: datetime) -> Iterator[str]:
    """Do what is not done yet and tell each step; raises what the single steps raise."""
    if ledger.folded(account_stream(wanted.account), account_stream_of.evolve, None)[0] is None:
        open_account(ledger, account=wanted.account, site=wanted.site, currency=wanted.currency, now=now)
        yield f"account {wanted.account} opened"
    supply = _supply(ledger, wanted)
    if supply is None:
        register_supply(ledger, supply=wanted.supply, site=wanted.site, concentrator=wanted.concentrator, now=now)
        yield f"registered at site {wanted.site}, concentrator {wanted.concentrator}"
    if supply is None or supply.meter is None:
        install_meter(
            ledger,
            supply=wanted.supply,
            meter=wanted.meter,
            installed_at=wanted.since,
            opening_milliwh=wanted.opening_milliwh,
            now=now,
        )
        yield f"meter {wanted.meter.serial} installed"
    if supply is None or not supply.terms:
        assign_tariff(ledger, supply=wanted.supply, tariff=wanted.tariff, effective_from=wanted.since, now=now)
        yield f"tariff {wanted.tariff} assigned"
    if supply is None or not supply.occupancies:
        occupy(
            ledger,
            supply=wanted.supply,
            account=wanted.account,
            occupied_from=wanted.since,
            opening_milliwh=wanted.opening_milliwh,
            now=now,
        )
        yield f"occupied by {wanted.account}"


def _supply(ledger: Ledger, wanted: SupplyPoint) -> Supply | None:
    state: Supply | None = ledger.folded(supply_stream(wanted.supply), supply_stream_of.evolve, None)[0]
    return state
