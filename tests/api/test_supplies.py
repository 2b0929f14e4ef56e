"""Supply points, tariffs, held readings and the books over HTTP."""

from datetime import UTC, datetime, timedelta

from ledger.store.application import Ledger
from ledger.usecases.tariffs import publish_tariff
from tests.api.conftest import Api
from tests.ledger.builders import MOVED_IN, tariff_text


def test_a_supply_point_tells_its_meter_and_who_occupies_it(api: Api) -> None:
    shown = api.get("/v1/supplies/room-1", api.key("operator")).json()
    assert (shown["meter"], shown["account"], shown["locks"]) == ("m1", "tenant/1", [])
    assert len(api.get("/v1/supplies", api.key("operator"), site="north").json()["items"]) == 3


def test_an_operator_locks_and_unlocks_once_per_key(api: Api) -> None:
    key, words = api.key("operator"), {"reason": "works", "operator": "op-3"}
    first, again = (api.post("/v1/supplies/room-1/locks", key, words, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert api.post("/v1/supplies/room-1/locks", key, words, Idempotency_Key="k2").status_code == 409
    other = api.post("/v1/supplies/room-1/locks", key, words | {"reason": "fire"}, Idempotency_Key="k1")
    assert (other.status_code, "reason was 'works', is 'fire'" in other.json()["detail"]) == (409, True)
    api.catch_up()
    assert api.get("/v1/supplies/room-1", key).json()["locks"] == ["operator"]
    refused = api.post("/v1/supplies/room-1/consents", key, {}, Idempotency_Key="k3")
    assert refused.status_code == 409
    assert "held off by operator" in refused.json()["detail"]
    cleared, again = (api.post("/v1/supplies/room-1/unlocks", key, words, Idempotency_Key="k1") for _ in range(2))
    assert (cleared.status_code, again.json()) == (201, cleared.json())
    assert api.post("/v1/supplies/room-1/unlocks", key, words, Idempotency_Key="k4").status_code == 409
    # What was done under the key is told still, whatever stands now.
    assert api.post("/v1/supplies/room-1/locks", key, words, Idempotency_Key="k1").json() == first.json()
    api.catch_up()
    assert api.get("/v1/supplies/room-1", key).json()["locks"] == []
    assert api.post("/v1/supplies/room-1/locks", key, words).status_code == 422


def test_a_batch_has_a_result_for_each_supply_point_and_is_done_once_per_key(api: Api) -> None:
    key, words = api.key("operator"), {"reason": "works", "operator": "op-3"}
    codes = ["room-1", "room-9", "room-2"]
    body = words | {"action": "lock", "supplies": codes}
    found = api.post("/v1/batches", key, body, Idempotency_Key="k" * 150).json()
    assert found["refused"] == 1
    assert [row["supply"] for row in found["results"]] == codes
    assert [row["position"] is not None for row in found["results"]] == [True, False, True]
    assert "no supply point 'room-9'" in found["results"][1]["refusal"]
    assert api.post("/v1/batches", key, body, Idempotency_Key="k" * 150).json() == found
    body = words | {"action": "unlock", "supplies": ["room-1", "room-3"]}
    again = api.post("/v1/batches", key, body, Idempotency_Key="k2").json()
    assert "has no operator's lock" in again["results"][1]["refusal"]
    body = words | {"action": "force-on", "supplies": ["room-3"]}
    forced = api.post("/v1/batches", key, body, Idempotency_Key="k3").json()
    assert "until is missing" in forced["results"][0]["refusal"]
    body |= {"until": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    forced, again = (api.post("/v1/batches", key, body, Idempotency_Key="k4").json() for _ in range(2))
    assert (forced["refused"], again) == (0, forced)


def test_a_tariff_tells_what_an_amount_buys(api: Api) -> None:
    key = api.key("kiosk")
    found = api.get("/v1/tariffs/flat/quote", key, amount="50.00", at="2026-06-01T00:00:00+08:00").json()
    assert float(found["energy_kwh"]) > 50
    assert found["lines"][0]["component"] == "energy"
    assert api.get("/v1/tariffs/none/quote", key, amount="1").status_code == 404


def test_tariffs_and_their_versions_come_in_pages(api: Api) -> None:
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        for code, note in (("flat", "second"), ("flat-2", "first")):
            text = tariff_text(code=code)
            publish_tariff(ledger, text=text, effective_from=MOVED_IN, note=note, now=datetime.now(UTC))
    key = api.key("kiosk")
    first = api.get("/v1/tariffs", key, limit=1).json()
    assert ([row["note"] for row in first["items"]], first["next_cursor"]) == (["second"], "flat")
    rest = api.get("/v1/tariffs", key, limit=1, cursor="flat").json()
    assert ([row["tariff"] for row in rest["items"]], rest["next_cursor"]) == (["flat-2"], None)
    first = api.get("/v1/tariffs/flat/versions", key, limit=1).json()
    assert ([row["note"] for row in first["items"]], first["next_cursor"]) == (["first"], "1")
    rest = api.get("/v1/tariffs/flat/versions", key, cursor=1).json()
    assert ([row["note"] for row in rest["items"]], rest["next_cursor"]) == (["second"], None)


def test_the_books_balance(api: Api) -> None:
    found = api.get("/v1/trial-balance", api.key("auditor")).json()
    assert found["total"] == "0.000000"
    assert {row["code"] for row in found["rows"]} == {"assets:cash:bank", "liabilities:prepayment"}
