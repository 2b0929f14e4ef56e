"""What can be rated can be published, for the live path books all of it."""

from datetime import UTC, datetime

from ledger.store.application import Ledger
from ledger.usecases.tariffs import publish_tariff

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HEAD = """
code = "home"
currency = "CNY"
time_zone = "Asia/Shanghai"
billing_period = "month"
prices = "tax-exclusive"
"""
ENERGY = """
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.5"
"""
AT_SUPPLY = 'tax_point = "supply"\n'


def test_other_units_and_demand_are_published(ledger: Ledger) -> None:
    text = (
        HEAD
        + AT_SUPPLY
        + ENERGY
        + '[[charges]]\ncomponent = "reactive"\nkind = "flat"\nprice_per_kvarh = "0.1"\n'
        + '[[charges]]\ncomponent = "peak"\nkind = "demand"\nprice_per_kw = "30"\n'
    )
    assert publish_tariff(ledger, text=text, effective_from=SINCE, note="", now=SINCE) == 1


def test_energy_prices_what_time_brings_levies_and_taxes_are_published(ledger: Ledger) -> None:
    text = (
        HEAD
        + AT_SUPPLY
        + ENERGY
        + '[[charges]]\ncomponent = "line"\nkind = "daily"\nprice_per_day = "1"\n'
        + '[[minimums]]\ncomponent = "least"\namount = "10"\non = ["energy"]\n'
        + '[[levies]]\ncomponent = "fund"\nprice_per_kwh = "0.01"\n'
        + '[[taxes]]\ncomponent = "vat"\npercent = "13"\non = ["energy", "fund"]\n'
    )
    assert publish_tariff(ledger, text=text, effective_from=SINCE, note="", now=SINCE) == 1
