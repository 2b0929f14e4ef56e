"""Money that nobody can place, over HTTP."""

from tests.api.conftest import Api


def test_a_receipt_is_kept_listed_and_credited_once(api: Api) -> None:
    key, body = api.key("finance"), {"receipt": "bank/17", "amount": "25.00"}
    kept = api.post("/v1/receipts", key, body, Idempotency_Key="k1")
    assert (kept.status_code, kept.json()["is_repeat"]) == (201, False)
    assert api.post("/v1/receipts", key, body, Idempotency_Key="k1").json()["is_repeat"] is True
    api.catch_up()
    waiting = api.get("/v1/receipts", key, open="true").json()["items"]
    assert [(row["receipt"], row["amount"], row["outcome"]) for row in waiting] == [("bank/17", "25.000000", "kept")]
    owner = {"account": "spare", "operator": "op-1"}
    placed = api.post("/v1/receipts/bank~17/identifications", key, owner, Idempotency_Key="k2")
    assert placed.status_code == 201, placed.text
    again = api.post("/v1/receipts/bank~17/identifications", key, owner, Idempotency_Key="k3")
    assert (again.status_code, "credited to account 'spare' already" in again.json()["detail"]) == (409, True)
    api.catch_up()
    assert api.get("/v1/accounts/spare", key).json()["balance"] == "25.000000"
    assert api.get("/v1/receipts", key, open="true").json()["items"] == []


def test_a_receipt_goes_back_once(api: Api) -> None:
    key = api.key("finance")
    api.post("/v1/receipts", key, {"receipt": "b-1", "amount": "25.00"}, Idempotency_Key="k1")
    told = api.post("/v1/receipts/b-1/returns", key, {"operator": "op-1"}, Idempotency_Key="k2")
    assert told.status_code == 201
    assert api.post("/v1/receipts/b-1/returns", key, {"operator": "op-1"}, Idempotency_Key="k3").status_code == 409
    assert api.post("/v1/receipts/b-2/returns", key, {"operator": "op-1"}, Idempotency_Key="k4").status_code == 404
