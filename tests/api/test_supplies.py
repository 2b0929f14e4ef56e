"""Supply points, tariffs, held readings and the books over HTTP."""

from tests.api.conftest import Api


def test_a_supply_point_tells_its_meter_and_who_occupies_it(api: Api) -> None:
    shown = api.get("/v1/supplies/room-1", api.key("operator")).json()
    assert (shown["meter"], shown["account"], shown["locks"]) == ("m1", "tenant/1", [])
    assert len(api.get("/v1/supplies", api.key("operator"), site="north").json()["items"]) == 3


def test_an_operator_locks_and_unlocks(api: Api) -> None:
    key, words = api.key("operator"), {"reason": "works", "operator": "op-3"}
    assert api.post("/v1/supplies/room-1/locks", key, words).status_code == 201
    api.catch_up()
    assert api.get("/v1/supplies/room-1", key).json()["locks"] == ["operator"]
    refused = api.post("/v1/supplies/room-1/consents", key, {})
    assert refused.status_code == 409
    assert "held off by operator" in refused.json()["detail"]
    assert api.post("/v1/supplies/room-1/unlocks", key, words).status_code == 201
    assert api.post("/v1/supplies/room-1/unlocks", key, words).status_code == 409


def test_a_batch_has_a_result_for_each_supply_point(api: Api) -> None:
    key, words = api.key("operator"), {"reason": "works", "operator": "op-3"}
    codes = ["room-1", "room-9", "room-2"]
    found = api.post("/v1/batches", key, words | {"action": "lock", "supplies": codes}).json()
    assert found["refused"] == 1
    assert [row["supply"] for row in found["results"]] == codes
    assert [row["position"] is not None for row in found["results"]] == [True, False, True]
    assert "no supply point 'room-9'" in found["results"][1]["refusal"]
    again = api.post("/v1/batches", key, words | {"action": "unlock", "supplies": ["room-1", "room-3"]}).json()
    assert "has no operator's lock" in again["results"][1]["refusal"]
    forced = api.post("/v1/batches", key, words | {"action": "force-on", "supplies": ["room-3"]}).json()
    assert "until is missing" in forced["results"][0]["refusal"]
    assert api.post("/v1/batches", api.key("kiosk"), words | {"action": "lock", "supplies": codes}).status_code == 403


def test_a_tariff_tells_what_an_amount_buys(api: Api) -> None:
    key = api.key("kiosk")
    found = api.get("/v1/tariffs/flat/quote", key, amount="50.00", at="2026-06-01T00:00:00+08:00").json()
    assert float(found["energy_kwh"]) > 50
    assert found["lines"][0]["component"] == "energy"
    assert api.get("/v1/tariffs/none/quote", key, amount="1").status_code == 404
    assert [row["tariff"] for row in api.get("/v1/tariffs", key).json()] == ["flat"]
    assert api.get("/v1/tariffs/flat/versions", key).json()[0]["note"] == "first"


def test_the_books_balance(api: Api) -> None:
    found = api.get("/v1/trial-balance", api.key("auditor")).json()
    assert found["total"] == "0.000000"
    assert {row["code"] for row in found["rows"]} == {"assets:cash:bank", "liabilities:prepayment"}


def test_nothing_is_held_yet(api: Api) -> None:
    assert api.get("/v1/held-readings", api.key("operator"), open=True).json()["items"] == []
