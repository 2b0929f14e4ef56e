"""Accounts and top-ups over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import psycopg
import pytest
import requests

from console.api.services import Services
from ledger.domain.account import AccountCredited
from ledger.store.application import Ledger
from ledger.store.people import person_of
from ledger.values.errors import Refused
from ledger.values.outside import reference_hash
from tests.api.conftest import Api
from tests.services.postgres import Database


def test_accounts_come_in_pages_that_leave_none_out(api: Api) -> None:
    key, found, cursor = api.key("finance"), [], None
    for _ in range(10):
        page = api.get("/v1/accounts", key, limit=2, **({"cursor": cursor} if cursor else {})).json()
        found += [item["account"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ["spare", "tenant/1", "tenant/2", "tenant/3"]
    assert [item["account"] for item in api.get("/v1/accounts", key, site="south").json()["items"]] == ["spare"]


def test_a_cursor_that_no_page_ended_with_is_refused(api: Api) -> None:
    answer = api.get("/v1/accounts", api.key("finance"), cursor="ÿ!")
    assert answer.status_code == 422
    assert "query.cursor" in answer.json()["detail"]


def test_an_account_can_be_read_as_soon_as_it_is_open(api: Api) -> None:
    key = api.key("operator")
    api.post("/v1/accounts", key, {"account": "new-2", "site": "north", "currency": "CNY"})
    assert api.get("/v1/accounts/new-2", key).json()["balance"] == "0.000000"


def test_a_method_that_is_not_there_is_told_with_those_that_are(api: Api) -> None:
    answer = requests.delete(f"{api.address}/v1/accounts", timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_top_up_is_booked_once_per_key_and_shows_in_the_balance(api: Api) -> None:
    key = api.key("kiosk")
    first = api.post("/v1/accounts/tenant~1/top-ups", key, {"amount": "25.50"}, Idempotency_Key="k1")
    again = api.post("/v1/accounts/tenant~1/top-ups", key, {"amount": "25.50"}, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() | {"is_repeat": True} == again.json()
    assert first.json()["is_repeat"] is False
    other = api.post("/v1/accounts/tenant~1/top-ups", key, {"amount": "26.00"}, Idempotency_Key="k1")
    assert other.status_code == 409
    assert "amount" in other.json()["detail"]
    api.catch_up()
    shown = api.get("/v1/accounts/tenant~1", key).json()
    assert shown["account"] == "tenant/1"
    assert shown["balance"] == "35.500000"


def test_two_programs_may_use_the_same_idempotency_key(api: Api) -> None:
    for _ in range(2):
        answer = api.post("/v1/accounts/spare/top-ups", api.key("kiosk"), {"amount": "1"}, Idempotency_Key="same")
        assert answer.json()["is_repeat"] is False


def test_fifty_at_once_with_one_key_book_once(api: Api) -> None:
    key = api.key("kiosk")

    def pay(_number: int) -> int:
        answer = api.post("/v1/accounts/spare/top-ups", key, {"amount": "2.00"}, Idempotency_Key="all")
        assert answer.status_code == 201, answer.text
        return int(answer.json()["position"])

    with ThreadPoolExecutor(10) as pool:
        assert len(set(pool.map(pay, range(50)))) == 1
    api.catch_up()
    assert api.get("/v1/accounts/spare", key).json()["balance"] == "2.000000"


def test_a_top_up_without_an_idempotency_key_is_refused(api: Api) -> None:
    answer = api.post("/v1/accounts/spare/top-ups", api.key("kiosk"), {"amount": "2.00"})
    assert answer.status_code == 422
    assert "Idempotency-Key" in answer.json()["detail"]


def test_wrong_amounts_are_refused_with_their_place(api: Api) -> None:
    key = api.key("kiosk")
    for amount in ("0", "-1.00", "1e5", "NaN", "1.0000001", 5):
        answer = api.post("/v1/accounts/spare/top-ups", key, {"amount": amount}, Idempotency_Key="k")
        assert answer.status_code == 422, amount
        assert answer.json()["detail"]
    answer = api.post("/v1/accounts/spare/top-ups", key, {"amount": "1", "chanel": "x"}, Idempotency_Key="k")
    assert answer.json()["errors"][0]["where"] == "body.chanel"


def test_an_account_that_is_not_there_is_named(api: Api) -> None:
    answer = api.get("/v1/accounts/nobody", api.key("kiosk"))
    assert answer.status_code == 404
    assert "'nobody'" in answer.json()["detail"]


def test_opening_an_account_twice_is_refused(api: Api) -> None:
    key, body = api.key("operator"), {"account": "new-1", "site": "north", "currency": "CNY"}
    assert api.post("/v1/accounts", key, body).status_code == 201
    refused = api.post("/v1/accounts", key, body)
    assert (refused.status_code, refused.json()["type"]) == (409, "refused")


def test_a_reference_is_kept_beside_the_ledger_and_in_it_as_a_keyed_hash(api: Api) -> None:
    key, body = api.key("finance"), {"amount": "5", "channel": "shop", "reference": "RF18 5390", "is_cleared": True}
    first, again = (api.post("/v1/accounts/spare/top-ups", key, body, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.json()["is_repeat"]) == (201, True), first.text
    other = api.post("/v1/accounts/spare/top-ups", key, body | {"reference": "RF19"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        logged = ledger.event_at(first.json()["position"])
    assert logged is not None
    assert isinstance(logged.fact, AccountCredited)
    assert logged.fact.reference_hash == reference_hash("RF18 5390", key_hex="5a" * 32)
    assert b"RF18" not in msgspec.json.encode(logged.fact)
    with psycopg.connect(api.database.url()) as connection:
        assert person_of(connection, account="spare").references[logged.fact.reference_hash] == "RF18 5390"
    api.catch_up()
    codes = [row["code"] for row in api.get("/v1/trial-balance", key).json()["rows"]]
    assert "assets:clearing:shop" in codes


def test_a_reference_without_a_key_to_hash_it_with_is_refused_and_nothing_is_booked(database: Database) -> None:
    services = Services(url=database.url("wattledger_api"))
    with pytest.raises(Refused, match="without WATTLEDGER_REFERENCE_KEY"):
        services.kept_reference("RF18", account="spare")
    services.close()
