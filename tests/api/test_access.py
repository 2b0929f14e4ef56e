"""Who may ask what, and how often."""

import requests

from tests.api.conftest import Api


def test_a_request_without_a_key_is_told_how_to_send_one(api: Api) -> None:
    answer = api.get("/v1/accounts", "")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: Bearer KEY" in answer.json()["detail"]


def test_a_key_that_is_not_known_opens_nothing(api: Api) -> None:
    assert api.get("/v1/accounts", "wlk_0_made-up").status_code == 401


def test_a_key_does_what_its_scopes_say_and_is_told_which_it_lacks(api: Api) -> None:
    answer = api.get("/v1/trial-balance", api.key("kiosk"))
    assert answer.status_code == 403
    assert "this needs finance or auditor" in answer.json()["detail"]
    assert api.get("/v1/trial-balance", api.key("kiosk", "auditor")).status_code == 200


def test_a_key_that_asks_too_often_is_told_when_to_come_again(api: Api) -> None:
    key, other = api.key("finance", requests_per_minute=3), api.key("finance", requests_per_minute=3)
    assert [api.get("/v1/accounts", key).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = api.get("/v1/accounts", key)
    assert 1 <= int(refused.headers["Retry-After"]) <= 61
    assert api.get("/v1/accounts", other).status_code == 200


def test_a_revoked_key_is_refused(api: Api) -> None:
    import psycopg

    from console.api.keys import all_keys, revoke_key

    key = api.key("finance")
    with psycopg.connect(api.database.url("wattledger_writer"), autocommit=True) as connection:
        revoke_key(connection, key_id=key.split("_")[1], operator="op-2")
        assert all_keys(connection)[0].revoked_at is not None
    assert api.get("/v1/accounts", key).status_code == 401


def test_what_is_kept_of_a_key_is_not_the_key(api: Api) -> None:
    import psycopg

    key = api.key("finance")
    with psycopg.connect(api.database.url()) as connection:
        row = connection.execute("SELECT keys::text FROM api.keys AS keys").fetchone()
    assert row is not None
    assert key.split("_", 2)[2] not in row[0]


def test_health_and_metrics_ask_for_no_key(api: Api) -> None:
    assert requests.get(f"{api.address}/health", timeout=10).json()["trial_balance"] == "0.000000"
    assert "wattledger_database_up 1.0" in requests.get(f"{api.address}/metrics", timeout=10).text


def test_an_unknown_path_is_a_problem_too(api: Api) -> None:
    answer = api.get("/v1/nothing", "")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")
