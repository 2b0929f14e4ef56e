"""A tariff that the live path would not book in full is not published: what is not booked would be given away."""

from datetime import UTC, datetime

import pytest

from ledger.rating.booked import unbooked
from ledger.rating.tariff import parse_tariff
from ledger.store.application import Ledger
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import Refused

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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            HEAD + AT_SUPPLY + ENERGY + '[[charges]]\ncomponent = "line"\nkind = "daily"\nprice_per_day = "1"\n',
            "'line' is a charge per day",
        ),
        (
            HEAD + AT_SUPPLY + ENERGY + '[[minimums]]\ncomponent = "least"\namount = "10"\non = ["energy"]\n',
            "'least' is a minimum charge",
        ),
    ],
    ids=["per day", "minimum"],
)
def test_what_is_not_booked_from_live_readings_is_not_published(ledger: Ledger, text: str, reason: str) -> None:
    assert any(reason in told for told in unbooked(parse_tariff(text)))
    with pytest.raises(Refused, match=reason):
        publish_tariff(ledger, text=text, effective_from=SINCE, note="", now=SINCE)
    assert ledger.recorder.max_notification_id() is None


def test_other_units_and_demand_are_published(ledger: Ledger) -> None:
    text = (
        HEAD
        + AT_SUPPLY
        + ENERGY
        + '[[charges]]\ncomponent = "reactive"\nkind = "flat"\nprice_per_kvarh = "0.1"\n'
        + '[[charges]]\ncomponent = "peak"\nkind = "demand"\nprice_per_kw = "30"\n'
    )
    assert unbooked(parse_tariff(text)) == []
    assert publish_tariff(ledger, text=text, effective_from=SINCE, note="", now=SINCE) == 1


def test_energy_prices_levies_and_taxes_are_published(ledger: Ledger) -> None:
    text = (
        HEAD
        + AT_SUPPLY
        + ENERGY
        + '[[levies]]\ncomponent = "fund"\nprice_per_kwh = "0.01"\n'
        + '[[taxes]]\ncomponent = "vat"\npercent = "13"\non = ["energy", "fund"]\n'
    )
    assert unbooked(parse_tariff(text)) == []
    assert publish_tariff(ledger, text=text, effective_from=SINCE, note="", now=SINCE) == 1
