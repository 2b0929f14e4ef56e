"""What a meter is known to measure decides which tariffs may price it; registers that it cannot show are refused."""

from dataclasses import replace

import pytest

from ledger.domain.supply import Registers
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import InvalidValue, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.tariff_files import ENERGY, tariff_file

REACTIVE = tariff_file(ENERGY, '[[charges]]\ncomponent = "reactive"\nkind = "flat"\nprice_per_kvarh = "0.1"\n')
METER = MeterFacts(serial="m", profile="p", max_power_w=10_000, modulus_milliwh=10**12, gives=())


def installed(ledger: Ledger, meter: MeterFacts, opening: Registers | None = None) -> None:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(ledger, text=REACTIVE, effective_from=MOVED_IN, note="", now=MOVED_IN)
    register_supply(ledger, supply="room-1", site="north", concentrator="c1", now=MOVED_IN)
    install_meter(
        ledger,
        supply="room-1",
        meter=meter,
        installed_at=MOVED_IN,
        opening_milliwh=0,
        opening_registers=opening,
        now=MOVED_IN,
    )


def assign(ledger: Ledger) -> int:
    return assign_tariff(ledger, supply="room-1", tariff="t", effective_from=MOVED_IN, now=MOVED_IN)


def test_a_tariff_that_prices_what_the_meter_is_known_not_to_measure_is_refused(ledger: Ledger) -> None:
    installed(ledger, METER)
    with pytest.raises(Refused, match="prices kvarh, which meter 'm' does not measure; choose another tariff"):
        assign(ledger)


@pytest.mark.parametrize("gives", [None, ("kvarh", "kW")])
def test_it_is_assigned_where_the_meter_measures_it_or_nobody_knows(
    ledger: Ledger, gives: tuple[str, ...] | None
) -> None:
    installed(ledger, replace(METER, gives=gives))  # type: ignore[arg-type]
    assert assign(ledger)


@pytest.mark.parametrize(
    "opening", [Registers(periods={"峰": -1}), Registers(reactive_millivarh=10**12), Registers(apparent_millivah=-5)]
)
def test_an_opening_register_that_the_meter_cannot_show_is_refused(ledger: Ledger, opening: Registers) -> None:
    with pytest.raises(InvalidValue, match="is outside 0 to 999999999999 mWh"):
        installed(ledger, METER, opening)


def test_an_occupants_opening_registers_must_be_ones_that_the_meter_can_show_too(ledger: Ledger) -> None:
    installed(ledger, METER)
    open_account(ledger, account="a", site="north", currency="CNY", now=MOVED_IN)
    with pytest.raises(InvalidValue, match="opening register -1 mWh"):
        occupy(
            ledger,
            supply="room-1",
            account="a",
            occupied_from=MOVED_IN,
            opening_milliwh=0,
            opening_registers=Registers(periods={"谷": -1}),
            now=MOVED_IN,
        )
