"""Statements and receipts over the API."""

from decimal import Decimal

from tests.api.conftest import Api


def test_a_receipt_tells_the_energy_that_the_tariffs_own_quote_does(api: Api) -> None:
    key = api.key("kiosk", "finance")
    booked = api.post("/v1/accounts/tenant~1/top-ups", key, {"amount": "25.00"}, Idempotency_Key="r-1").json()
    api.catch_up()
    receipt = api.get(f"/v1/top-ups/{booked['position']}/receipt", key).json()
    quoted = api.get("/v1/tariffs/flat/quote", key, amount="25.00").json()
    assert [row["supply"] for row in receipt["buys"]] == ["room-1"]
    assert Decimal(receipt["buys"][0]["energy_kwh"]) == Decimal(quoted["energy_kwh"]) > 0
    assert receipt["balance_after"] == "35.000000"
    assert receipt["proof"] is None  # nothing seals here


def test_a_statement_is_given_in_the_form_that_is_asked_for(api: Api) -> None:
    key = api.key("finance")
    month = api.get("/v1/accounts/tenant~1/statements/1999-01", key)
    assert month.status_code == 404
    assert api.get("/v1/accounts/tenant~1/statements/9999-12", key).status_code == 409
