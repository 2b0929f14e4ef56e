"""Supply points, tariffs and sites on a real ledger: what is refused changes nothing, and says what to do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.store.application import Ledger
from ledger.store.log import head_of, read_log
from ledger.usecases.accounts import open_account
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.tariffs import publish_tariff
from ledger.values.errors import InvalidValue, LedgerError, NotFound, Refused
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN, tariff_text

METER = MeterFacts(
    serial="m1", profile="acrel_ddsy1352", max_power_w=10_000, modulus_milliwh=10**12, resolution_milliwh=10_000
)
LATER = MOVED_IN + timedelta(days=30)
NO_INSTANT = MOVED_IN.replace(tzinfo=None)


def register(ledger: Ledger, supply: str = "room-1", site: str = "north") -> int:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    return register_supply(ledger, supply=supply, site=site, concentrator="c1", now=MOVED_IN)


def install(
    ledger: Ledger, supply: str = "room-1", meter: MeterFacts = METER, opening: int = 5, at: datetime = MOVED_IN
) -> int:
    return install_meter(ledger, supply=supply, meter=meter, installed_at=at, opening_milliwh=opening, now=MOVED_IN)


def move_in(
    ledger: Ledger, supply: str = "room-1", account: str = "room-1-a", opening: int = 5, at: datetime = MOVED_IN
) -> int:
    return occupy(ledger, supply=supply, account=account, occupied_from=at, opening_milliwh=opening, now=MOVED_IN)


def assign(ledger: Ledger, supply: str = "room-1", tariff: str = "flat", at: datetime = MOVED_IN) -> int:
    return assign_tariff(ledger, supply=supply, tariff=tariff, effective_from=at, now=MOVED_IN)


def publish(ledger: Ledger, text: str = FLAT_TARIFF, at: datetime = MOVED_IN) -> int:
    return publish_tariff(ledger, text=text, effective_from=at, note="", now=MOVED_IN)


def open_(ledger: Ledger, account: str = "room-1-a", currency: str = "CNY") -> int:
    return open_account(ledger, account=account, site="north", currency=currency, now=MOVED_IN)


def settle(ledger: Ledger) -> None:
    """A supply point with everything: meter, occupant, terms."""
    register(ledger)
    install(ledger)
    open_(ledger)
    publish(ledger)
    move_in(ledger)
    assign(ledger, at=LATER)
    assign(ledger, at=LATER + timedelta(days=2))


Command = Callable[[Ledger], Any]

REFUSED: list[tuple[str, Command, type[LedgerError], list[str]]] = [
    ("registering twice", register, Refused, ["'room-1'", "choose another code"]),
    ("a site that nothing is known of", lambda it: register(it, "room-9", "south"), NotFound,
     ["'south' has no settings", "wattledger site set south"]),
    ("a name for a code", lambda it: register(it, "Mrs. Li"), InvalidValue, ["'Mrs. Li'", "use 1 to 64 letters"]),
    ("a supply nobody registered", lambda it: install(it, "room-9", replace(METER, serial="m9")), NotFound,
     ["'room-9'", "register it first"]),
    ("a second meter", lambda it: install(it, meter=replace(METER, serial="m2")), Refused, ["'m1'", "exchange it"]),
    ("the same meter elsewhere", lambda it: install(it, "room-2"), Refused,
     ["'m1'", "supply was 'room-1', is 'room-2'", "check the serial"]),
    ("the same meter differently", lambda it: install(it, opening=6), Refused, ["opening_milliwh was '5', is '6'"]),
    ("a meter of no power", lambda it: install(it, meter=replace(METER, serial="m9", max_power_w=0)), InvalidValue,
     ["max_power_w 0", "give what the supply can carry"]),
    ("a meter of a gigawatt", lambda it: install(it, meter=replace(METER, serial="m9", max_power_w=10**9 + 1)),
     InvalidValue, ["1000000001"]),
    ("a register beyond its modulus", lambda it: install(it, meter=replace(METER, serial="m9"), opening=10**12),
     InvalidValue, ["1000000000000 mWh", "outside 0 to"]),
    ("a modulus below nothing", lambda it: install(it, meter=replace(METER, serial="m9", modulus_milliwh=-1)),
     InvalidValue, ["modulus -1"]),
    ("a resolution below nothing", lambda it: install(it, meter=replace(METER, serial="m9", resolution_milliwh=-1)),
     InvalidValue, ["resolution -1"]),
    ("an installation at no instant", lambda it: install(it, at=NO_INSTANT), InvalidValue,
     ["has no zone", "add an offset"]),
    ("an occupant nobody knows", lambda it: move_in(it, account="room-9-a"), NotFound,
     ["'room-9-a'", "open it first"]),
    ("an occupied supply", move_in, Refused, ["'room-1-a'"]),
    ("no meter to read", lambda it: move_in(it, "room-2"), Refused, ["'room-2'", "install one first"]),
    ("moving in at no instant", lambda it: move_in(it, "room-2", at=NO_INSTANT), InvalidValue,
     ["has no zone"]),
    ("a tariff nobody published", lambda it: assign(it, tariff="dear"), NotFound, ["'dear'", "publish it first"]),
    ("terms before the newest", lambda it: assign(it, at=LATER + timedelta(days=1)), Refused,
     ["assign later ones"]),
    ("terms at no instant", lambda it: assign(it, at=NO_INSTANT), InvalidValue, ["has no zone"]),
    ("a wrong tariff file", lambda it: publish(it, "code = 1"), InvalidValue,
     ["code is 1", "charges: there is none"]),
    ("a tariff in another currency", lambda it: publish(it, tariff_text().replace("CNY", "EUR")), Refused,
     ["in CNY", "EUR", "another code"]),
    ("a tariff in another time zone", lambda it: publish(it, tariff_text(zone="Europe/Berlin")), Refused,
     ["Asia/Shanghai", "Europe/Berlin"]),
    ("a tariff at no instant", lambda it: publish(it, at=NO_INSTANT), InvalidValue, ["has no zone"]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "error", "told"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused_changes_nothing_and_names_value_and_remedy(
    ledger: Ledger, writer: Connection[Any], command: Command, error: type[LedgerError], told: list[str]
) -> None:
    settle(ledger)
    register(ledger, "room-2")
    before = head_of(writer)
    with pytest.raises(error) as caught:
        command(ledger)
    for part in told:
        assert part in str(caught.value)
    assert head_of(writer) == before


def test_installing_the_same_meter_again_returns_the_first_installation(
    ledger: Ledger, writer: Connection[Any]
) -> None:
    register(ledger)
    assert install(ledger) == install(ledger) == 3
    assert head_of(writer)[0] == 3


def test_one_meter_is_installed_at_one_supply_point_whoever_comes_first(
    ledger: Ledger, writer: Connection[Any]
) -> None:
    supplies = [f"room-{number}" for number in range(8)]
    for supply in supplies:
        register(ledger, supply)

    def attempt(supply: str) -> str:
        try:
            install(ledger, supply)
        except Refused:
            return "refused"
        return "installed"

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(attempt, supplies)) == ["installed"] + ["refused"] * 7
    assert head_of(writer)[0] == 10


def test_two_occupants_never_move_in_together(ledger: Ledger, writer: Connection[Any]) -> None:
    register(ledger)
    install(ledger)
    accounts = [f"room-1-{letter}" for letter in "abcdef"]
    for account in accounts:
        open_(ledger, account)

    def attempt(account: str) -> str:
        try:
            move_in(ledger, account=account)
        except Refused:
            return "refused"
        return "moved in"

    with ThreadPoolExecutor(6) as threads:
        assert sorted(threads.map(attempt, accounts)) == ["moved in"] + ["refused"] * 5


def test_terms_before_the_first_fill_the_time_that_had_none(ledger: Ledger) -> None:
    """A meter read before its first terms waits for exactly this."""
    settle(ledger)
    assert assign(ledger, at=MOVED_IN) > 0


def test_a_version_before_the_first_fills_the_time_that_had_no_price(ledger: Ledger) -> None:
    assert publish(ledger, at=LATER) == 1
    assert publish(ledger, at=MOVED_IN) == 2
    with pytest.raises(Refused, match="let it start later"):
        publish(ledger, at=MOVED_IN + timedelta(days=1))


def test_versions_count_up_and_each_keeps_its_file(ledger: Ledger, writer: Connection[Any]) -> None:
    assert publish(ledger) == 1
    assert publish(ledger, tariff_text(price="0.7"), at=LATER) == 2
    texts = [getattr(entry.fact, "text", "") for entry in read_log(writer, after=0)]
    assert texts == [FLAT_TARIFF, tariff_text(price="0.7")]


@pytest.mark.parametrize("tariff_first", [True, False])
def test_prices_in_one_currency_never_take_money_in_another(ledger: Ledger, tariff_first: bool) -> None:
    register(ledger)
    install(ledger)
    open_(ledger, currency="EUR")
    publish(ledger)
    steps: list[Command] = [assign, move_in] if tariff_first else [move_in, assign]
    steps[0](ledger)
    with pytest.raises(Refused, match="tariff 'flat' is in CNY, account 'room-1-a' in EUR"):
        steps[1](ledger)


def test_an_occupants_register_may_not_be_below_the_meters_where_it_cannot_roll_over(ledger: Ledger) -> None:
    register(ledger)
    install(ledger, meter=replace(METER, modulus_milliwh=0), opening=100)
    open_(ledger)
    with pytest.raises(InvalidValue, match="99 mWh is below the meter's at its installation, 100 mWh"):
        move_in(ledger, opening=99)
    assert move_in(ledger, opening=100) > 0


@pytest.mark.parametrize("opening", [-1, 10**12])
def test_an_occupants_register_must_be_one_that_the_meter_can_show(ledger: Ledger, opening: int) -> None:
    register(ledger)
    install(ledger)
    open_(ledger)
    with pytest.raises(InvalidValue, match="outside 0 to"):
        move_in(ledger, opening=opening)


def test_a_site_reconnects_in_a_mode_that_there_is(ledger: Ledger, writer: Connection[Any]) -> None:
    settings: dict[str, Any] = {
        "site": "north", "reconnection": "automatic", "warning_balance_micros": 5, "effective_from": MOVED_IN,
        "now": MOVED_IN,
    }  # fmt: skip
    assert change_site_settings(ledger, **settings).position == 1
    for wrong in ({"reconnection": "sometimes"}, {"site": "a b"}, {"effective_from": NO_INSTANT}):
        with pytest.raises(InvalidValue):
            change_site_settings(ledger, **(settings | wrong))
    assert head_of(writer)[0] == 1
