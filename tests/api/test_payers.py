"""Payers and providers' payouts over HTTP."""

from tests.api.conftest import Api

PATH = "/v1/payers/council"


def test_a_payer_pays_for_all_or_none_once_per_key(api: Api) -> None:
    key = api.key("finance")
    assert api.get(PATH, key).status_code == 404
    whom = {"accounts": ["spare", "tenant/1", "spare"], "operator": "op-1"}
    assert api.post(f"{PATH}/accounts", key, whom).json()["accounts"] == ["spare", "tenant/1"]
    assert api.get(PATH, api.key("auditor")).json() == {"payer": "council", "accounts": ["spare", "tenant/1"]}
    body = {"amounts": [{"account": "spare", "amount": "5"}, {"account": "tenant/1", "amount": "2.50"}]}
    first = api.post(f"{PATH}/top-ups", key, body, Idempotency_Key="k1")
    assert (first.status_code, first.json()["total"], first.json()["is_repeat"]) == (201, "7.50", False)
    other = api.post(f"{PATH}/top-ups", key, body | {"channel": "cash"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    # Whom they pay for no longer is no reason to forget what they paid.
    api.post(f"{PATH}/accounts", key, whom | {"accounts": ["spare"]})
    again = api.post(f"{PATH}/top-ups", key, body, Idempotency_Key="k1")
    assert (again.status_code, again.json()) == (201, first.json() | {"is_repeat": True})
    stranger = api.post(f"{PATH}/top-ups", key, body, Idempotency_Key="k2")
    assert (stranger.status_code, "does not pay for 'tenant/1'" in stranger.json()["detail"]) == (409, True)
    twice = {"amounts": [{"account": "spare", "amount": "5"}] * 2}
    assert api.post(f"{PATH}/top-ups", key, twice, Idempotency_Key="k3").status_code == 409
    assert api.post(f"{PATH}/top-ups", key, {"amounts": []}, Idempotency_Key="k4").status_code == 422
    api.catch_up()
    balances = {row["account"]: row["balance"] for row in api.get("/v1/accounts", key).json()["items"]}
    assert (balances["spare"], balances["tenant/1"]) == ("5.000000", "12.500000")


def test_a_payout_is_booked_once_and_its_parts_fit_together(api: Api) -> None:
    key, body = (
        api.key("finance"),
        {"channel": "shop", "gross": "100", "fees": "2.50", "bank": "main", "operator": "op-1"},
    )
    first, again = (api.post("/v1/payouts", key, body, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json() | {"is_repeat": True})
    other = api.post("/v1/payouts", key, body | {"fees": "3"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    refused = api.post("/v1/payouts", key, body | {"commission": "98"}, Idempotency_Key="k2")
    assert (refused.status_code, "together no more than" in refused.json()["detail"]) == (409, True)
    assert api.post("/v1/payouts", key, body | {"fees": "-1"}, Idempotency_Key="k3").status_code == 422
    api.catch_up()
    rows = {row["code"]: row["amount"] for row in api.get("/v1/trial-balance", key).json()["rows"]}
    assert rows["assets:cash:main"] == "97.500000"
