"""Equipping a supply point on a real ledger: all of it or nothing, and the same again changes nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.supply import MeterInstalled, SupplyOccupied, TermsAssigned
from ledger.store.application import Ledger
from ledger.store.log import head_of, read_log
from ledger.usecases.accounts import account_of, open_account
from ledger.usecases.equip import SupplyPoint, equip
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, register_supply
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import InvalidValue, LedgerError, Refused
from tests.ledger.builders import MOVED_IN, tariff_text

METER = MeterFacts(
    serial="m1", profile="acrel_ddsy1352", max_power_w=10_000, modulus_milliwh=10**12, resolution_milliwh=10_000
)
ROOM = SupplyPoint(
    supply="room-1",
    site="north",
    concentrator="c1",
    meter=METER,
    account="room-1-a",
    tariff="flat",
    opening_milliwh=5,
)
DAY = timedelta(days=1)


@pytest.fixture
def prepared(ledger: Ledger) -> Ledger:
    """A ledger with a site and a tariff in yuan."""
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(ledger, text=tariff_text(), effective_from=MOVED_IN, note="", now=MOVED_IN)
    return ledger


def equipped(ledger: Ledger, wanted: SupplyPoint = ROOM, *, day: int = 0) -> list[str]:
    return list(equip(ledger, wanted, now=MOVED_IN + day * DAY))


def instants(connection: Connection[Any]) -> list[datetime]:
    """Since when the meter, the tariff and the occupant are there."""
    names = {MeterInstalled: "installed_at", TermsAssigned: "effective_from", SupplyOccupied: "occupied_from"}
    facts = [entry.fact for entry in read_log(connection, after=0)]
    return [getattr(fact, names[type(fact)]) for fact in facts if type(fact) in names]


def test_a_supply_point_gets_everything_from_one_instant_on(prepared: Ledger, writer: Connection[Any]) -> None:
    assert equipped(prepared) == [
        "account room-1-a opened in CNY",
        "registered at site north, concentrator c1",
        "meter m1 installed",
        "tariff flat assigned",
        "occupied by room-1-a",
    ]
    assert instants(writer) == [MOVED_IN] * 3


@pytest.mark.parametrize("since", [None, MOVED_IN])
def test_the_same_again_later_has_nothing_to_do(prepared: Ledger, writer: Connection[Any], since: Any) -> None:
    equipped(prepared)
    before = head_of(writer)
    assert equipped(prepared, replace(ROOM, since=since), day=3) == ["nothing to do, all of it stands already"]
    assert head_of(writer) == before


@pytest.mark.parametrize("done", [1, 2, 3, 4])
def test_what_broke_off_goes_on_from_the_meters_instant_not_from_now(
    prepared: Ledger, writer: Connection[Any], done: int
) -> None:
    steps = equip(prepared, ROOM, now=MOVED_IN)
    for _ in range(done):
        next(steps)
    assert len(equipped(prepared, day=3)) == 5 - done
    assert instants(writer) == [MOVED_IN if done >= 3 else MOVED_IN + 3 * DAY] * 3


def test_a_new_account_is_in_the_tariffs_currency_unless_another_is_asked_for(prepared: Ledger) -> None:
    equipped(prepared)
    assert account_of(prepared, "room-1-a").currency == "CNY"
    publish_tariff(
        prepared,
        text=tariff_text(code="euro").replace("CNY", "EUR"),
        effective_from=MOVED_IN,
        note="",
        now=MOVED_IN,
    )
    equipped(prepared, replace(ROOM, supply="room-2", meter=replace(METER, serial="m2"), account="b", tariff="euro"))
    assert account_of(prepared, "b").currency == "EUR"


Change = Callable[[Ledger], SupplyPoint]


def _with_an_account_in_euros(ledger: Ledger) -> SupplyPoint:
    open_account(ledger, account="room-1-a", site="north", currency="EUR", now=MOVED_IN)
    return replace(ROOM, currency="CNY")


def _with_its_meter_elsewhere(ledger: Ledger) -> SupplyPoint:
    equipped(ledger)
    return replace(ROOM, supply="room-2", account="room-2-a")


def _registered_elsewhere(ledger: Ledger) -> SupplyPoint:
    change_site_settings(ledger, site="south", effective_from=MOVED_IN, now=MOVED_IN)
    register_supply(ledger, supply="room-1", site="south", concentrator="c2", now=MOVED_IN)
    return ROOM


NEVER_BEGUN: list[tuple[str, Change, type[LedgerError], list[str]]] = [
    ("no site", lambda _: replace(ROOM, site="south"), Refused, ["'south' has no settings", "site set south"]),
    ("no tariff", lambda _: replace(ROOM, tariff="dear"), Refused, ["no tariff 'dear'", "publish it first"]),
    ("no site and no tariff", lambda _: replace(ROOM, site="south", tariff="dear"), Refused, ["'south'", "'dear'"]),
    ("a name for an account", lambda _: replace(ROOM, account="Mrs. Li"), InvalidValue, ["'Mrs. Li'"]),
    ("a name for a concentrator", lambda _: replace(ROOM, concentrator="the cellar"), InvalidValue, ["the cellar"]),
    ("no currency", lambda _: replace(ROOM, currency="yuan"), InvalidValue, ["'yuan'", "three capitals"]),
    ("another currency than the tariff's", lambda _: replace(ROOM, currency="EUR"), Refused,
     ["tariff 'flat' is in CNY, account 'room-1-a' in EUR"]),
    ("an account in another currency", _with_an_account_in_euros, Refused,
     ["the account's currency is EUR, asked for CNY", "use another account"]),
    ("a meter of no power", lambda _: replace(ROOM, meter=replace(METER, max_power_w=0)), InvalidValue,
     ["max_power_w 0"]),
    ("a register beyond its modulus", lambda _: replace(ROOM, opening_milliwh=10**12), InvalidValue, ["outside 0"]),
    ("a meter that measures elsewhere", _with_its_meter_elsewhere, Refused,
     ["'m1' is installed already", "supply was 'room-1', is 'room-2'", "check the serial"]),
    ("a supply point elsewhere", _registered_elsewhere, Refused,
     ["site is south, asked for north", "concentrator is c2, asked for c1", "choose another code"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "error", "told"), [row[1:] for row in NEVER_BEGUN], ids=[r[0] for r in NEVER_BEGUN]
)
def test_what_cannot_be_finished_is_not_begun(
    prepared: Ledger, writer: Connection[Any], change: Change, error: type[LedgerError], told: list[str]
) -> None:
    wanted = change(prepared)
    before = head_of(writer)
    with pytest.raises(error) as caught:
        equipped(prepared, wanted)
    for text in told:
        assert text in str(caught.value)
    assert head_of(writer) == before


def _meter(**changed: Any) -> SupplyPoint:
    return replace(ROOM, meter=replace(METER, **changed))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (replace(ROOM, site="south"), ["site is north, asked for south", "choose another code"]),
        (replace(ROOM, concentrator="c2"), ["concentrator is c1, asked for c2"]),
        (_meter(serial="m2"), ["meter is m1, asked for m2", "exchange the meter"]),
        (_meter(profile="nem12"), ["profile is acrel_ddsy1352, asked for nem12"]),
        (_meter(max_power_w=20_000), ["max_power_w is 10000, asked for 20000"]),
        (_meter(measures="interval"), ["measures is register, asked for interval"]),
        (replace(ROOM, opening_milliwh=6), ["opening register in mWh is 5, asked for 6"]),
        (replace(ROOM, account="room-2-a"), ["occupying account is room-1-a, asked for room-2-a", "move out first"]),
        (replace(ROOM, tariff="dear"), ["tariff is flat, asked for dear", "assign the other tariff"]),
        (replace(ROOM, since=MOVED_IN + DAY), ["installed is 2026-03-02", "occupied is", "tariff in force is"]),
        (replace(ROOM, site="south", tariff="dear"), ["site is north", "tariff is flat"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_stands_differently_is_refused_difference_by_difference(
    prepared: Ledger, writer: Connection[Any], wanted: SupplyPoint, told: list[str]
) -> None:
    equipped(prepared)
    change_site_settings(prepared, site="south", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(prepared, text=tariff_text(code="dear"), effective_from=MOVED_IN, note="", now=MOVED_IN)
    before = head_of(writer)
    with pytest.raises(Refused, match="supply point 'room-1' was left as it is") as caught:
        equipped(prepared, wanted, day=3)
    for text in told:
        assert text in str(caught.value)
    assert head_of(writer) == before
