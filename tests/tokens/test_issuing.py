"""Tokens on a real ledger: what is due first, whole units, the rest on the balance, once per key."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from console.audit.folding import check_folding
from console.tokens.secrets_kept import keep_secrets, kept_secrets, secrets_from_text
from ledger.domain.snapshot import PricingSnapshot
from ledger.domain.tariff import compiled
from ledger.rating.bill import quantity_usage
from ledger.rating.lines import FRESH
from ledger.rating.rate import rate
from ledger.rating.usage import segment_usage
from ledger.store.application import Ledger
from ledger.store.catching_up import catch_up
from ledger.usecases.accounts import top_up
from ledger.usecases.money.attempt import By
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.putting_right import CorrectDebit
from ledger.usecases.money.undoing import ReverseTopUp
from ledger.usecases.supplies import MeterFacts, install_meter
from ledger.usecases.supply_life import exchange_meter, move_in, reinstall_meter, remove_meter
from ledger.usecases.tokens.issuing import issue_token, tell_meter
from ledger.usecases.tokens.setting_up import bill_by_token
from ledger.values.errors import Conflict, InvalidValue, NotFound, Refused
from tests.ledger.builders import FLAT_TARIFF, MOVED_IN
from tests.services.postgres import Database
from tests.tokens.conftest import BLOCKS, DAY, KEY, SECRETS, STANDING, Room
from tests.tokens.meter import TokenMeter

KWH = Decimal("0.617") * Decimal("1.13")


def test_all_of_a_balance_becomes_whole_units_and_the_rest_stays(room: Room) -> None:
    room.pay(10_000_000)
    token = room.issue("k1")
    units = int(10 / (KWH / 10))
    assert (token.units, token.energy_milliwh) == (units, units * 100_000)
    assert abs(Decimal(token.amount_micros) - units * KWH * 100_000) < 2
    assert room.balance_micros == 10_000_000 - token.amount_micros
    assert 0 <= room.balance_micros < KWH * 100_000
    meter = TokenMeter(SECRETS)
    assert meter.enter(token.digits) == "added"
    assert meter.credit == units


def test_the_same_key_is_the_same_token_and_other_content_a_conflict(room: Room) -> None:
    room.pay(10_000_000)
    first = room.issue("k1", 2_000_000)
    again = room.booked("k1", 2_000_000, days=3)
    assert again.is_repeat
    assert room.issue("k1", 2_000_000) == first
    with pytest.raises(Conflict):
        room.issue("k1", 3_000_000)
    with pytest.raises(Conflict, match="operator"):
        issue_token(
            room.ledger, supply="room-1", amount_micros=2_000_000, operator="li", key="k1", now=MOVED_IN + DAY
        )
    assert len(room.facts("meter.energy-vended/1")) == 1


def test_many_at_once_never_sell_more_than_there_is_and_count_each_on(room: Room) -> None:
    room.pay(10_000_000)

    def issued(number: int) -> int | None:
        try:
            return room.booked(f"k{number}", 3_000_000).position
        except Refused:
            return None

    with ThreadPoolExecutor(6) as pool:
        positions = [one for one in pool.map(issued, range(6)) if one is not None]
    assert len(positions) == 3
    facts = room.facts("meter.energy-vended/1")
    assert [fact["count"] for fact in facts] == [2, 4, 6]
    assert room.balance_micros == 10_000_000 - sum(fact["amount_micros"] for fact in facts) >= 0


@pytest.mark.parametrize("tariff", [FLAT_TARIFF.replace("[[taxes]]", STANDING + "\n[[taxes]]")])
def test_days_that_are_over_are_charged_first_and_with_the_token(room: Room) -> None:
    room.pay(10_000_000)
    room.issue("k1", 1_000_000, days=0.1)
    assert room.facts("meter.time-charge-debited/1") == []
    before = room.balance_micros
    # Moved in on 2 March, 16:00 in Shanghai: 3, 4 and 5 March are over on the 6th.
    token = room.issue("k2", 1_000_000, days=3.9)
    (days,) = room.facts("meter.time-charge-debited/1")
    assert (days["first_date"], days["last_date"], days["amount_micros"]) == ("2026-03-03", "2026-03-05", 1_500_000)
    assert room.balance_micros == before - 1_500_000 - token.amount_micros
    with pytest.raises(Refused, match=r"has 4\.\d+ after 2\.50 for the days that are over, less than 6\.00"):
        room.issue("k3", 6_000_000, days=8.9)
    assert len(room.facts("meter.time-charge-debited/1")) == 1


@pytest.mark.parametrize("tariff", [BLOCKS])
def test_blocks_count_on_from_token_to_token_as_one_sum_would(room: Room) -> None:
    room.pay(20_000_000)
    tokens = [room.issue(f"k{number}", 4_000_000) for number in range(4)]
    sold = sum(token.energy_milliwh for token in tokens)
    tariff = compiled(BLOCKS, 1)
    at = MOVED_IN + 0.1 * DAY
    whole = rate(tariff, FRESH, segment_usage(tariff, quantity_usage(tariff, sold, at=at)))
    assert sold > 10_000_000
    assert sum(token.amount_micros for token in tokens) == sum(line.amount_micros for line in whole.lines)


@pytest.mark.parametrize("tariff", [BLOCKS.replace("[[taxes]]", STANDING + "\n[[taxes]]")])
def test_a_stranger_folds_the_stream_to_the_counters_that_it_keeps(room: Room) -> None:
    room.pay(60_000_000)
    for number in range(5):
        room.issue(f"k{number}", 3_000_000, days=9 * number + 0.1)
    url = room.database.url("wattledger_auditor")
    assert list(check_folding(url, sample=None, progress=lambda _done, _of: None)) == []


def test_who_moves_in_has_their_own_counters_and_pays_for_their_own_tokens(room: Room) -> None:
    room.pay(10_000_000)
    room.issue("k1", 5_000_000)
    at = MOVED_IN + 2 * DAY
    move_in(room.ledger, supply="room-1", account="room-2-a", at=at, register_milliwh=None, now=at)
    with pytest.raises(Refused, match=r"'room-2-a' has 0\.00"):
        room.issue("k2", days=2.5)
    top_up(room.ledger, account="room-2-a", amount_micros=5_000_000, channel="kiosk", key="p", now=at)
    token = room.issue("k2", days=2.5)
    assert token.account == "room-2-a"
    newest = room.facts("meter.energy-vended/1")[-1]
    assert (newest["account"], newest["occupancy"], newest["before"]) == ("room-2-a", 1, {})


def test_a_token_is_not_reversed_its_payment_becomes_debt(room: Room) -> None:
    paid = top_up(room.ledger, account="room-1-a", amount_micros=10_000_000, channel="kiosk", key="p", now=MOVED_IN)
    token = room.issue("k1", 8_000_000)
    by = By(operator="ana", reason="wrong", key="r", now=MOVED_IN)
    with pytest.raises(NotFound, match="a token, which the meter may have taken already: adjust the account instead"):
        carry_out(room.ledger, CorrectDebit(debit_position=token.position, amount_micros=1), by=by)
    carry_out(room.ledger, ReverseTopUp(top_up_position=paid.position), by=by)
    standing = room.ledger.standing(["room-1-a"])
    assert (standing.balance_micros("room-1-a"), standing.debt_micros("room-1-a")) == (0, token.amount_micros)


def test_tokens_that_move_no_money_count_on_and_void_what_was_not_entered(room: Room) -> None:
    room.pay(10_000_000)
    meter = TokenMeter(SECRETS)
    lost, entered = room.issue("k1", 1_000_000), room.issue("k2", 2_000_000)
    assert meter.enter(entered.digits) == "added"
    set_to = room.tell("k3", "set", 5)
    assert (set_to.count, set_to.amount_micros) == (5, 0)
    assert meter.enter(set_to.digits) == "set"
    assert meter.credit == 5
    assert meter.enter(lost.digits) == "used"
    assert meter.enter(room.issue("k4", 1_000_000).digits) == "added"
    assert meter.enter(room.tell("k5", "disable").digits) == "disabled"
    assert meter.enter(room.tell("k6", "counter-sync").digits) == "synced"


@pytest.mark.parametrize(
    ("kind", "units", "told"),
    [
        ("set", -1, "units says nothing"),
        ("set", 996, "more than the 995"),
        ("disable", 1, "says nothing"),
        ("add", 1, "no kind of token"),
    ],
)
def test_what_no_token_can_say_is_refused(room: Room, kind: str, units: int, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        tell_meter(
            room.ledger, supply="room-1", kind=kind, units=units, reason="told", operator="ana", key="k",  # type: ignore[arg-type]
            now=MOVED_IN,
        )  # fmt: skip


def test_what_cannot_be_sold_says_why(room: Room) -> None:
    with pytest.raises(Refused, match=r"'room-1-a' has 0\.00; top it up first"):
        room.issue("k1")
    room.pay(50_000)
    with pytest.raises(Refused, match=r"0\.05 buys less than one unit of 100 Wh"):
        room.issue("k1")
    with pytest.raises(Refused, match=r"has 0\.05, less than 1\.00"):
        room.issue("k1", 1_000_000)
    with pytest.raises(Refused, match="billed by readings, not by token"):
        room.issue("k1", supply="room-2")
    with pytest.raises(NotFound, match="no supply point 'room-9'"):
        room.issue("k1", supply="room-9")
    assert room.facts("meter.energy-vended/1") == []


def test_a_supply_point_is_set_up_once_and_not_after_readings(room: Room, database: Database) -> None:
    words: dict[str, Any] = {"supply": "room-1", "operator": "ana", "now": MOVED_IN}
    assert bill_by_token(room.ledger, unit_milliwh=100_000, size="standard", **words) == 0
    with pytest.raises(Refused, match="standard tokens of 100 Wh a unit already"):
        bill_by_token(room.ledger, unit_milliwh=200_000, size="standard", **words)
    with pytest.raises(InvalidValue, match="whole watt-hours"):
        bill_by_token(room.ledger, unit_milliwh=1, size="standard", **words)


def test_another_meter_is_refused_for_it_would_take_none_of_the_tokens(room: Room) -> None:
    room.pay(10_000_000)
    room.issue("k1", 1_000_000)
    at = MOVED_IN + DAY
    own, other = (MeterFacts(serial=serial, profile="test", max_power_w=20_000) for serial in ("m1", "m9"))
    after: dict[str, Any] = {"supply": "room-1", "opening_milliwh": 0, "now": at}
    with pytest.raises(Refused, match="tokens of meter 'm1', and meter 'm9' would take none of them"):
        exchange_meter(room.ledger, meter=other, at=at, closing_milliwh=101_000_000, **after)
    remove_meter(room.ledger, supply="room-1", at=at, closing_milliwh=101_000_000, now=at)
    with pytest.raises(Refused, match="has no meter that could take a token; its meter was removed"):
        room.issue("k2", 1_000_000, days=2)
    with pytest.raises(Refused, match="would take none of them"):
        reinstall_meter(room.ledger, meter=other, at=at, **after)
    with pytest.raises(Refused, match="would take none of them"):
        install_meter(room.ledger, meter=other, installed_at=at, **after)
    reinstall_meter(room.ledger, meter=own, at=at, **(after | {"opening_milliwh": 101_000_000}))
    assert room.issue("k2", 1_000_000, days=2).count == 4


def test_many_at_once_with_one_key_are_one_token(room: Room) -> None:
    room.pay(10_000_000)
    with ThreadPoolExecutor(6) as pool:
        booked = list(pool.map(lambda _: room.booked("k1", 2_000_000), range(6)))
    assert len({one.position for one in booked}) == 1
    assert [one.is_repeat for one in booked].count(False) == 1
    assert len(room.facts("meter.energy-vended/1")) == 1


def test_secrets_are_sealed_and_kept_once(room: Room) -> None:
    assert kept_secrets(room.devices, supply="room-1", key=KEY) == SECRETS
    keep_secrets(room.devices, supply="room-1", secrets=SECRETS, key=KEY)
    with pytest.raises(Conflict, match="other secrets are kept"):
        keep_secrets(room.devices, supply="room-1", secrets=secrets_from_text(f"7 {'ab' * 16}"), key=KEY)
    with pytest.raises(InvalidValue, match="does not open"):
        kept_secrets(room.devices, supply="room-1", key=bytes(32))
    sealed = bytes(room.devices.execute("SELECT sealed FROM tokens.devices").fetchone()[0])
    assert b"123456789" not in sealed
    # Bound to its supply point: a row that is moved to another opens nothing.
    room.devices.execute("INSERT INTO tokens.devices (supply, sealed) VALUES ('room-2', %s)", (sealed,))
    with pytest.raises(InvalidValue, match="does not open"):
        kept_secrets(room.devices, supply="room-2", key=KEY)
    with pytest.raises(InvalidValue, match="not a starting code") as refused:
        secrets_from_text("12345 zz-secret")
    assert "zz-secret" not in str(refused.value)


def test_a_ledger_with_tokens_is_known_to_who_catches_up(room: Room) -> None:
    snapshot = PricingSnapshot()
    with psycopg.connect(room.database.url("wattledger_writer"), autocommit=True) as connection:
        catch_up(connection, snapshot)
    assert snapshot.supplies["room-1"].tokens is not None
    assert snapshot.supplies["room-2"].tokens is None
    assert isinstance(room.ledger, Ledger)
