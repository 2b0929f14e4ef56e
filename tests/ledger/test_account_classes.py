"""Account classes in terms: a supply point is priced as the class that its terms name."""

from datetime import timedelta

import pytest

from ledger.domain.supply import TermsAssigned
from ledger.store.application import Ledger
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import InvalidValue, Refused
from tests.ledger.builders import MOVED_IN, household, published
from tests.ledger.tariff_files import ENERGY, tariff_file

CLASSES = '[[classes]]\nname = "school"\nmultiplier = "0.5"\n[[classes]]\nname = "shop"\nmultiplier = "2"\n'
TEXT = tariff_file(ENERGY, CLASSES)
LATER = MOVED_IN + timedelta(days=1)


def as_class(name: str, *, minutes: int = 0) -> TermsAssigned:
    return TermsAssigned(
        supply="room-1",
        tariff="flat",
        effective_from=MOVED_IN + timedelta(minutes=minutes),
        account_class=name,
        recorded_at=MOVED_IN,
    )


def test_usage_is_priced_as_the_class_of_the_terms() -> None:
    home = household(text=TEXT, terms_from=None)
    home.snapshot.apply(as_class("school"))
    home.reads(2, at=60)
    (debit,) = home.debits
    assert debit.amount_micros == 1_000_000
    assert debit.lines[0].rule == "energy used, price for class school"


def test_another_class_from_an_instant_on_splits_the_span() -> None:
    home = household(text=TEXT, terms_from=None)
    home.snapshot.apply(as_class("school"))
    home.snapshot.apply(as_class("shop", minutes=30))
    home.reads(2, at=60)
    assert [(line.price, line.amount_micros) for line in home.debits[0].lines] == [
        ("0.5", 500_000),
        ("2", 2_000_000),
    ]


def test_usage_of_a_class_that_the_version_does_not_know_is_held_not_billed_as_anothers() -> None:
    home = household(text=TEXT, terms_from=None)
    home.snapshot.apply(as_class("school"))
    home.snapshot.apply(published(text=tariff_file(ENERGY), at=MOVED_IN, version=2))
    home.reads(2, at=60)
    assert home.held_for == ["no-terms"]


def equipped(ledger: Ledger, *, account_class: str = "", text: str = TEXT) -> list[str]:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(ledger, text=text, effective_from=MOVED_IN, note="", now=MOVED_IN)
    return equip_again(ledger, account_class)


def equip_again(ledger: Ledger, account_class: str) -> list[str]:
    wanted = SupplyPoint(
        supply="room-1",
        site="north",
        concentrator="c1",
        meter=MeterFacts(serial="m", profile="p", max_power_w=10_000),
        account="a",
        tariff="t",
        opening_milliwh=0,
        account_class=account_class,
        since=MOVED_IN,
    )
    return list(equip(ledger, wanted, now=MOVED_IN))


def test_a_supply_point_is_equipped_with_a_class_and_asking_for_another_is_refused(ledger: Ledger) -> None:
    assert "tariff t assigned for class school" in equipped(ledger, account_class="school")
    assert equip_again(ledger, "school") == ["nothing to do, all of it stands already"]
    with pytest.raises(Refused, match="account class is school, asked for shop"):
        equip_again(ledger, "shop")


def test_a_class_that_the_tariff_does_not_know_is_refused_with_those_that_it_knows(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="class 'inn' is not in version 1 of tariff 't'; known: 'school', 'shop'"):
        equipped(ledger, account_class="inn")
    equip_again(ledger, "")
    with pytest.raises(InvalidValue, match="class 'inn' is not in version 1"):
        assign_tariff(ledger, supply="room-1", tariff="t", effective_from=LATER, account_class="inn", now=MOVED_IN)


def test_a_class_must_be_known_to_every_version_that_will_price_it(ledger: Ledger) -> None:
    equipped(ledger)
    publish_tariff(ledger, text=tariff_file(ENERGY), effective_from=LATER, note="", now=MOVED_IN)
    with pytest.raises(InvalidValue, match="not in version 2 of tariff 't'; known: none, leave the class out"):
        assign_tariff(
            ledger, supply="room-1", tariff="t", effective_from=MOVED_IN, account_class="school", now=MOVED_IN
        )


def test_a_version_that_drops_a_class_in_use_is_refused(ledger: Ledger) -> None:
    equipped(ledger, account_class="school")
    fewer = TEXT.replace("school", "clinic")
    with pytest.raises(Refused, match="no class 'school' in this version, but supply point 'room-1' is priced as"):
        publish_tariff(ledger, text=fewer, effective_from=LATER, note="", now=MOVED_IN)
    assign_tariff(ledger, supply="room-1", tariff="t", effective_from=LATER, account_class="shop", now=MOVED_IN)
    publish_tariff(ledger, text=fewer, effective_from=LATER, note="", now=MOVED_IN)
