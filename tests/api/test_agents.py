"""Agents over HTTP: a key that sells, numbers without gaps, a limit that is told with its remedy, deposits."""

import psycopg

from console.api.keys import create_key
from tests.api.conftest import Api

AGENT = {
    "agent": "lobby",
    "currency": "CNY",
    "commission_percent": "1.5",
    "commission_fixed": "0.10",
    "float_limit": "100",
    "operator": "op-1",
}


def key_of(api: Api, agent: str) -> str:
    with psycopg.connect(api.database.url("wattledger_writer"), autocommit=True) as connection:
        return create_key(
            connection, name="till", scopes=["kiosk"], requests_per_minute=1000, operator="op-1", agent=agent
        )


def test_an_agent_sells_is_stopped_at_the_limit_deposits_and_sells_on(api: Api) -> None:
    finance = api.key("finance")
    assert api.post("/v1/agents", finance, AGENT).status_code == 201
    assert api.post("/v1/agents", finance, AGENT).status_code == 409
    till = key_of(api, "lobby")
    sold = [
        api.post("/v1/accounts/spare/top-ups", till, {"amount": "40"}, Idempotency_Key=f"k{number}")
        for number in (1, 1, 2, 3)
    ]
    assert [answer.status_code for answer in sold] == [201, 201, 201, 409]
    assert [answer.json().get("receipt_number") for answer in sold[:3]] == ["lobby-000001"] * 2 + ["lobby-000002"]
    refused = sold[3].json()
    assert refused["type"] == "float-limit"
    assert "agent 'lobby' holds 78.60 CNY of at most 100.00" in refused["detail"]
    assert "deposit 17.90 or more first" in refused["detail"]
    handed = {"amount": "50", "operator": "op-1"}
    assert api.post("/v1/agents/lobby/deposits", finance, handed, Idempotency_Key="d").json()["is_repeat"] is False
    assert api.post("/v1/agents/lobby/deposits", finance, handed, Idempotency_Key="d").json()["is_repeat"] is True
    answer = api.post("/v1/accounts/spare/top-ups", till, {"amount": "40"}, Idempotency_Key="k3")
    assert (answer.status_code, answer.json()["receipt_number"]) == (201, "lobby-000003")
    entries = api.get("/v1/agents/lobby/entries", till, limit=3).json()
    assert [row["kind"] for row in entries["items"]] == ["sold", "sold", "deposited"]
    rest = api.get("/v1/agents/lobby/entries", till, cursor=entries["next_cursor"]).json()
    assert [(row["receipt_number"], row["held"]) for row in rest["items"]] == [("lobby-000003", "67.90")]
    assert rest["next_cursor"] is None
    api.catch_up()
    (listed,) = api.get("/v1/agents", finance).json()["items"]
    assert (listed["receipts"], listed["held"], listed["sold"]) == (3, "67.900000", "120.000000")


def test_an_agents_key_asks_about_nobody_else(api: Api) -> None:
    finance = api.key("finance")
    for agent in ("lobby", "gate"):
        api.post("/v1/agents", finance, AGENT | {"agent": agent})
    till = key_of(api, "lobby")
    assert api.get("/v1/agents/lobby", till).json()["terms"]["commission_percent"] == "1.50"
    assert api.get("/v1/agents/gate", till).status_code == 403
    assert api.get("/v1/agents", till).status_code == 403
    assert api.get("/v1/agents/gate", api.key("kiosk")).status_code == 403
    assert api.get("/v1/agents/gate", finance).status_code == 200


def test_terms_change_from_the_next_sale_on(api: Api) -> None:
    finance = api.key("finance")
    api.post("/v1/agents", finance, AGENT)
    terms = {"float_limit": "100", "is_open": False, "operator": "op-1"}
    assert api.post("/v1/agents/lobby/terms", finance, terms | {"is_open": 0}).status_code == 422
    assert api.post("/v1/agents/lobby/terms", finance, terms).json()["terms"]["is_open"] is False
    answer = api.post("/v1/accounts/spare/top-ups", key_of(api, "lobby"), {"amount": "4"}, Idempotency_Key="k")
    assert (answer.status_code, "may not sell" in answer.json()["detail"]) == (409, True)
