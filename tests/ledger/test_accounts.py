"""Accounts on a real ledger: a top-up has one effect however often it is asked for, and a refusal has none."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account import AccountCredited
from ledger.domain.event import Posting
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.accounts import MAX_TOP_UP_MICROS, open_account, top_up
from ledger.usecases.attempt import Booked
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused
from tests.ledger.builders import MOVED_IN


@pytest.fixture
def account(ledger: Ledger) -> str:
    open_account(ledger, account="room-1-a", site="north", currency="CNY", now=MOVED_IN)
    return "room-1-a"


def pay(
    ledger: Ledger,
    *,
    account: str = "room-1-a",
    amount_micros: int = 50_000_000,
    channel: str = "kiosk",
    key: str = "receipt-1",
    reference_hash: str = "",
) -> Booked:
    return top_up(
        ledger,
        account=account,
        amount_micros=amount_micros,
        channel=channel,
        key=key,
        reference_hash=reference_hash,
        now=MOVED_IN,
    )


def credits_of(connection: Connection[Any]) -> list[AccountCredited]:
    return [entry.fact for entry in read_log(connection, after=0) if isinstance(entry.fact, AccountCredited)]


def test_a_top_up_is_booked_with_its_postings(ledger: Ledger, account: str, writer: Connection[Any]) -> None:
    assert pay(ledger) == Booked(position=2, is_repeat=False)
    (credit,) = credits_of(writer)
    assert (credit.account, credit.amount_micros) == (account, 50_000_000)
    assert credit.postings == [
        Posting("assets:cash:kiosk", "", 50_000_000),
        Posting("liabilities:prepayment", "room-1-a", -50_000_000),
    ]


def test_the_same_top_up_again_returns_the_first_and_changes_nothing(
    ledger: Ledger, account: str, writer: Connection[Any]
) -> None:
    first = pay(ledger)
    pay(ledger, key="receipt-2")
    assert pay(ledger) == Booked(first.position, is_repeat=True)
    assert len(credits_of(writer)) == 2


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"amount_micros": 60_000_000}, "amount_micros was '50000000', is '60000000'"),
        ({"channel": "bank"}, "channel was 'kiosk', is 'bank'"),
        ({"account": "room-2-a"}, "account was 'room-1-a', is 'room-2-a'"),
        ({"reference_hash": "0f" * 32}, "reference_hash was ''"),
    ],
)
def test_a_key_that_comes_with_other_content_is_a_conflict_that_names_it(
    ledger: Ledger, account: str, writer: Connection[Any], changed: dict[str, Any], difference: str
) -> None:
    pay(ledger)
    with pytest.raises(Conflict, match="use a new key") as caught:
        pay(ledger, **changed)
    assert difference in str(caught.value)
    assert len(credits_of(writer)) == 1


@pytest.mark.parametrize(
    ("changed", "error", "told"),
    [
        ({"amount_micros": 0}, InvalidValue, "amount 0.00 is not positive"),
        ({"amount_micros": -1}, InvalidValue, "amount -0.000001 is not positive"),
        ({"amount_micros": MAX_TOP_UP_MICROS + 1}, InvalidValue, "above 10000000.00, the most of one top-up"),
        ({"key": ""}, InvalidValue, "new for each command"),
        ({"key": "k" * 201}, InvalidValue, "new for each command"),
        ({"key": "a\0b"}, InvalidValue, "printable"),
        ({"channel": "a b"}, InvalidValue, "channel 'a b' is not a code; use 1 to 64 letters"),
        ({"account": "room-9-a"}, NotFound, "'room-9-a'; open it first"),
        ({"reference_hash": "+86 139 1234"}, InvalidValue, "give the keyed hash"),
    ],
)
def test_a_top_up_that_is_refused_changes_nothing_and_says_why(
    ledger: Ledger,
    account: str,
    writer: Connection[Any],
    changed: dict[str, Any],
    error: type[LedgerError],
    told: str,
) -> None:
    with pytest.raises(error) as caught:
        pay(ledger, **changed)
    assert told in str(caught.value)
    assert credits_of(writer) == []
    assert writer.execute("SELECT count(*) FROM ledger.command_keys").fetchone() == (0,)


def test_an_outside_reference_that_is_refused_is_not_shown(ledger: Ledger, account: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        pay(ledger, reference_hash="+86 139 1234")
    assert "139" not in str(caught.value)


def test_an_account_is_opened_once(ledger: Ledger, account: str, writer: Connection[Any]) -> None:
    with pytest.raises(Refused, match="'room-1-a' is open already"):
        open_account(ledger, account="room-1-a", site="south", currency="CNY", now=MOVED_IN)
    assert len(read_log(writer, after=0)) == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"account": "Mr. Wang"}, "'Mr. Wang' is not a code"),
        ({"site": ""}, "site '' is not a code"),
        ({"currency": "yuan"}, "'yuan' is no ISO 4217 code"),
        ({"now": MOVED_IN.replace(tzinfo=None)}, "timezone"),
    ],
)
def test_an_account_that_is_refused_changes_nothing(
    ledger: Ledger, writer: Connection[Any], changed: dict[str, Any], told: str
) -> None:
    wanted: dict[str, Any] = {"account": "room-1-a", "site": "north", "currency": "CNY", "now": MOVED_IN}
    with pytest.raises(InvalidValue) as caught:
        open_account(ledger, **(wanted | changed))
    assert told in str(caught.value)
    assert read_log(writer, after=0) == []


def _fifty_at_once(pay_one: Callable[[int], Booked]) -> list[Booked]:
    with ThreadPoolExecutor(50) as threads:
        return list(threads.map(pay_one, range(50)))


def test_fifty_at_once_with_one_key_have_one_effect(ledger: Ledger, account: str, writer: Connection[Any]) -> None:
    results = _fifty_at_once(lambda _: pay(ledger))
    assert {result.position for result in results} == {2}
    assert sum(not result.is_repeat for result in results) == 1
    assert len(credits_of(writer)) == 1


def test_fifty_at_once_with_different_keys_all_have_theirs(
    ledger: Ledger, account: str, writer: Connection[Any]
) -> None:
    results = _fifty_at_once(lambda number: pay(ledger, amount_micros=number + 1, key=f"receipt-{number}"))
    assert sorted(result.position for result in results) == list(range(2, 52))
    assert not any(result.is_repeat for result in results)
    assert sorted(credit.amount_micros for credit in credits_of(writer)) == list(range(1, 51))
