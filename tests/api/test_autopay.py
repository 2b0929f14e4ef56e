"""Automatic top-ups over HTTP: bound, set, capped and ended by the consumers' app; no token comes back."""

import psycopg

from console.api.keys import create_key
from tests.api.conftest import JSON, Api

METHOD = {"method": "card-1", "provider": "shop", "token": "tok_of_nobody_else"}
SCHEDULE = {"method": "card-1", "amount": "20.00", "every": "month", "from_date": "2026-12-31"}
THRESHOLD = {"method": "card-1", "amount": "20.00", "below": "5.00"}
HOLDS: JSON = {
    "account": "spare",
    "currency": "CNY",
    "methods": [{"method": "card-1", "provider": "shop"}],
    "schedule": SCHEDULE,
    "threshold": THRESHOLD,
    "caps": {"day": "50.00", "month": "100.00"},
    "charges": [],
}
AT = "/v1/accounts/spare/autopay"


def test_a_consumer_binds_a_card_says_when_it_is_charged_and_ends_it(api: Api) -> None:
    app = api.key("kiosk")
    for _ in range(2):
        for path, body in (
            ("methods", METHOD),
            ("schedule", SCHEDULE),
            ("threshold", THRESHOLD),
            ("caps", {"day": "50.00", "month": "100.00"}),
        ):
            answer = api.post(f"{AT}/{path}", app, body)
            assert answer.status_code == 201, answer.text
            assert METHOD["token"] not in answer.text
    assert api.get(AT, app).json() == HOLDS
    ended = api.post(f"{AT}/threshold/end", app, {"reason": "asked"}).json()
    assert ended == HOLDS | {"threshold": None}
    unbound = api.post(f"{AT}/methods/card-1/unbind", app, {"reason": "lost"}).json()
    assert unbound == HOLDS | {"methods": [], "schedule": None, "threshold": None}
    with psycopg.connect(api.database.url("wattledger_people")) as people:
        assert people.execute("SELECT * FROM people.payment_methods").fetchall() == []


def test_what_cannot_be_is_told_with_its_remedy(api: Api) -> None:
    app = api.key("kiosk")
    answer = api.post(f"{AT}/threshold", app, THRESHOLD)
    assert (answer.status_code, "bind it first" in answer.json()["detail"]) == (409, True)
    api.post(f"{AT}/methods", app, METHOD)
    other = api.post(f"{AT}/methods", app, METHOD | {"token": "tok_another"})
    assert (other.status_code, "unbind it, or choose another code" in other.json()["detail"]) == (409, True)
    above = api.post(f"{AT}/threshold", app, THRESHOLD | {"amount": "200.01"})
    assert (above.status_code, "above the cap of 200.00 a day" in above.json()["detail"]) == (409, True)
    assert api.post("/v1/accounts/nobody/autopay/methods", app, METHOD).status_code == 404
    with psycopg.connect(api.database.url("wattledger_people")) as people:
        assert people.execute("SELECT account, token FROM people.payment_methods").fetchall() == [
            ("spare", METHOD["token"])
        ]


def test_an_agents_key_and_an_auditors_bind_nothing(api: Api) -> None:
    assert api.post(f"{AT}/methods", api.key("auditor"), METHOD).status_code == 403
    assert api.get(AT, api.key("auditor")).status_code == 200
    finance = api.key("finance")
    api.post("/v1/agents", finance, {"agent": "lobby", "currency": "CNY", "float_limit": "100", "operator": "op-1"})
    with psycopg.connect(api.database.url("wattledger_writer"), autocommit=True) as connection:
        till = create_key(
            connection, name="till", scopes=["kiosk"], requests_per_minute=100, operator="op-1", agent="lobby"
        )
    for answer in (api.get(AT, till), api.post(f"{AT}/methods", till, METHOD)):
        assert (answer.status_code, "use a key of the consumers' app" in answer.json()["detail"]) == (403, True)
