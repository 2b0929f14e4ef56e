"""A wrong tariff file is refused whole, and everything that is wrong with it is told with its place and remedy."""

from decimal import Decimal

import pytest

from ledger.rating.components import FlatCharge
from ledger.rating.tariff import parse_tariff
from ledger.values.errors import InvalidValue
from tests.ledger.builders import FLAT_TARIFF

WRONG_EVERYWHERE = """
code = ""
currency = "yuan"
time_zone = "Asia/Nowhere"
billing_period = "week"
prices = "net"
tax_point = "supply"
colour = "red"

[[charges]]
component = "energy"
kind = "block"
price_per_kwh = 0.617

[[charges]]
component = "Grid Fee"
kind = "flat"
price_per_kwh = "-1"

[[taxes]]
component = "prepayment"
percent = "1e1000000"
on = ["energi", 7]

[[taxes]]
component = "energy"
percent = "x"
on = []
"""

TOLD = [
    "colour is not known",
    "billing_period is 'week'; this version knows 'month' only",
    "prices is 'net'; this version knows 'tax-exclusive' or 'tax-inclusive' only",
    "code is ''; give a text",
    "currency is 'yuan'; use its ISO 4217 code",
    "time_zone 'Asia/Nowhere' is unknown; use an IANA name",
    "charges[1].kind is 'block'; this version knows 'flat' or 'time-of-use' or 'blocks' or",
    "charges[1].price_per_kwh is 0.617; give a decimal in quotes",
    "charges[2].component 'Grid Fee' is reserved or no name",
    "charges[2].price_per_kwh is '-1'; give a decimal in quotes",
    "taxes[1].component 'prepayment' is reserved",
    "taxes[1].percent is '1e1000000'; give a decimal in quotes",
    "taxes[1].on names 'energi', which is no charge; known:",
    "taxes[1].on names '7', which is no charge; known:",
    "taxes[2].percent is 'x'; give a decimal in quotes",
    "taxes[2].on is missing; list the components",
    "component 'energy' is there more than once",
]


def test_every_error_of_a_file_is_told_with_its_place_and_remedy() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_tariff(WRONG_EVERYWHERE)
    for told in TOLD:
        assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == len(TOLD) + 1


def test_a_component_that_is_there_twice_is_told() -> None:
    with pytest.raises(InvalidValue, match="component 'energy' is there more than once"):
        parse_tariff(FLAT_TARIFF.replace('"vat"', '"energy"'))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("code = ", "not TOML"),
        ("", "charges: there is none"),
        (FLAT_TARIFF.replace("[[charges]]", "[charges]"), r"write \[\[charges\]\] tables"),
        ("taxes = [1]\n" + FLAT_TARIFF.split("[[taxes]]", maxsplit=1)[0], r"write \[\[taxes\]\] tables"),
        (FLAT_TARIFF.replace('"0.617"', '"0.0000000000001"'), "at most 12 places"),
        (FLAT_TARIFF.replace('"0.617"', '"NaN"'), "give a decimal"),
        (FLAT_TARIFF.replace('"0.617"', '"1_0"'), "'1_0'; give a decimal"),
        (FLAT_TARIFF.replace('"0.617"', '" 1"'), "' 1'; give a decimal"),
        (FLAT_TARIFF.replace('"0.617"', '"١٢"'), "give a decimal"),
        (FLAT_TARIFF.replace('"0.617"', "true"), "give a decimal"),
        (FLAT_TARIFF.replace('"0.617"', '"1000000001"'), "0 to 1000000000"),
        (FLAT_TARIFF.replace('"Asia/Shanghai"', '"../etc/passwd"'), "is unknown"),
    ],
)
def test_a_file_that_is_not_a_tariff_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidValue, match=complaint):
        parse_tariff(text)


def test_a_right_file_is_read_as_it_stands() -> None:
    tariff = parse_tariff(FLAT_TARIFF)
    assert (tariff.code, tariff.currency, tariff.time_zone.key) == ("flat", "CNY", "Asia/Shanghai")
    assert tariff.charges == (FlatCharge("energy", Decimal("0.617")),)
    assert [(tax.component, str(tax.percent), tax.on) for tax in tariff.taxes] == [("vat", "13", ("energy",))]


def test_a_whole_number_needs_no_quotes() -> None:
    assert parse_tariff(FLAT_TARIFF.replace('"0.617"', "2")).charges == (FlatCharge("energy", Decimal(2)),)
