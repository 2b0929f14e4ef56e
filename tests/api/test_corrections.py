"""Money put right over HTTP: each command once per key, with its remedy where it is refused."""

import pytest

from ledger.domain.event import Event
from ledger.store.application import Ledger
from ledger.values.identity import meter_stream
from ledger.values.money import micros_from_text
from tests.api.conftest import JSON, Api
from tests.projections.builders import usage_debited

WORDS = {"reason": "wrong-account", "operator": "op-1"}


def topped_up(api: Api, account: str = "spare", amount: str = "40", key: str = "paid") -> int:
    body = {"amount": amount}
    answer = api.post(f"/v1/accounts/{account}/top-ups", api.key("kiosk"), body, Idempotency_Key=key)
    return int(answer.json()["position"])


def debited(api: Api, supply: str, account: str, amount: str) -> int:
    """Have usage of a supply point billed to an account, and return where the debit stands."""
    fact = usage_debited(supply=supply, account=account, amount_micros=micros_from_text(amount))
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        return ledger.append(Event(meter_stream(supply), 1, fact))


def balance(api: Api, account: str = "spare") -> str:
    api.catch_up()
    return str(api.get(f"/v1/accounts/{account}", api.key("finance")).json()["balance"])


@pytest.mark.parametrize(
    ("what", "body", "left"),
    [
        ("refunds", {"amount": "15.50", "channel": "bank"}, "24.500000"),
        ("adjustments", {"amount": "-0.50"}, "39.500000"),
        ("adjustments", {"amount": "2", "bearer": "gifts"}, "42.000000"),
        ("debts", {"amount": "100", "source": "brought-forward"}, "40.000000"),
        ("closings", {"channel": "bank"}, "0.000000"),
    ],
)
def test_a_balance_is_changed_once_per_key(api: Api, what: str, body: JSON, left: str) -> None:
    topped_up(api)
    key, path = api.key("finance"), f"/v1/accounts/spare/{what}"
    first, again = (api.post(path, key, body | WORDS, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, first.json()["is_repeat"]) == (201, False), first.text
    assert (again.status_code, again.json()) == (201, first.json() | {"is_repeat": True})
    assert balance(api) == left
    other = api.post(path, key, body | WORDS | {"operator": "op-2"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    assert "operator was 'op-1', is 'op-2'" in other.json()["detail"]
    assert balance(api) == left


def test_a_debt_is_agreed_paid_and_given_up_and_never_more_than_is_owed(api: Api) -> None:
    key, path = api.key("finance"), "/v1/accounts/spare"
    debt = WORDS | {"amount": "10", "source": "brought-forward"}
    assert api.post(f"{path}/debts", key, debt, Idempotency_Key="k1").status_code == 201
    paid = WORDS | {"amount": "4", "channel": "kiosk"}
    assert api.post(f"{path}/debt-payments", key, paid, Idempotency_Key="k2").status_code == 201
    assert api.post(f"{path}/debt-payments", key, paid, Idempotency_Key="k2").json()["is_repeat"] is True
    refused = api.post(f"{path}/write-offs", key, WORDS | {"amount": "7"}, Idempotency_Key="k3")
    assert (refused.status_code, "'spare' owes 6.00; 7.00 cannot" in refused.json()["detail"]) == (409, True)
    given_up = [
        api.post(f"{path}/write-offs", key, WORDS | {"amount": "6"}, Idempotency_Key="k4").json() for _ in range(2)
    ]
    assert given_up[1] == given_up[0] | {"is_repeat": True}
    other = api.post(f"{path}/write-offs", key, WORDS | {"amount": "5"}, Idempotency_Key="k4")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    other = api.post(f"{path}/debt-payments", key, paid | {"amount": "5"}, Idempotency_Key="k2")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    assert api.get(f"{path}/credit", key).json()["debt"] == "0.00"


@pytest.mark.parametrize(
    ("what", "body"), [("reversals", {}), ("chargebacks", {"fee": "15"}), ("transfers", {"to_account": "tenant/1"})]
)
def test_a_top_up_is_taken_away_once(api: Api, what: str, body: JSON) -> None:
    position, key = topped_up(api), api.key("finance")
    path = f"/v1/top-ups/{position}/{what}"
    first, again = (api.post(path, key, body | WORDS, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json() | {"is_repeat": True}), first.text
    assert balance(api) == "0.000000"
    other = api.post(path, key, body | WORDS, Idempotency_Key="k2")
    assert (other.status_code, "a top-up is taken away once" in other.json()["detail"]) == (409, True)
    changed = api.post(path, key, body | WORDS | {"reason": "other"}, Idempotency_Key="k1")
    assert (changed.status_code, changed.json()["type"]) == (409, "conflict")
    links = api.get(f"/v1/events/{position}/links", api.key("auditor")).json()["links"]
    # A transfer has a second side, which names the top-up, too.
    assert (links[-1]["original"], links[-1]["position"]) == (position, first.json()["position"])
    assert links[-1]["relation"].startswith("account.top-up-")


def test_a_debit_is_given_back_once_per_key_and_never_more_than_is_left(api: Api) -> None:
    position, key = debited(api, "room-1", "tenant/1", "6"), api.key("finance")
    path, body = f"/v1/debits/{position}/corrections", WORDS | {"amount": "4.50"}
    assert balance(api, "tenant~1") == "4.000000"
    first, again = (api.post(path, key, body, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json() | {"is_repeat": True}), first.text
    assert balance(api, "tenant~1") == "8.500000"
    more = api.post(path, key, body, Idempotency_Key="k2")
    assert (more.status_code, f"the debit at position {position} 1.50 is left" in more.json()["detail"]) == (
        409,
        True,
    )
    assert balance(api, "tenant~1") == "8.500000"


def test_some_of_a_debit_is_given_back_once_per_key_and_never_more_than_it_was(api: Api) -> None:
    topped_up(api)
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        debit = usage_debited(supply="room-1", account="spare", amount_micros=12_000_000)
        position = ledger.append(Event(meter_stream("room-1"), 1, debit))
    key, path, body = api.key("finance"), f"/v1/debits/{position}/corrections", WORDS | {"amount": "5"}
    first, again = (api.post(path, key, body, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json() | {"is_repeat": True}), first.text
    other = api.post(path, key, body | {"amount": "6"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    more = api.post(path, key, body | {"amount": "7.01"}, Idempotency_Key="k2")
    assert (more.status_code, "7.00 is left" in more.json()["detail"]) == (409, True)
    assert balance(api) == "33.000000"


def test_what_is_no_top_up_and_what_is_no_debit_is_told(api: Api) -> None:
    position, key = topped_up(api), api.key("finance")
    body = WORDS | {"amount": "1"}
    no_debit = api.post(f"/v1/debits/{position}/corrections", key, body, Idempotency_Key="k")
    assert (no_debit.status_code, "what is there is account.credited" in no_debit.json()["detail"]) == (404, True)
    assert api.post("/v1/top-ups/1/reversals", key, WORDS, Idempotency_Key="k").status_code == 404


BAD: list[tuple[str, JSON, str]] = [
    ("accounts/spare/refunds", {"amount": "-1", "channel": "bank"}, "body.amount"),
    ("accounts/spare/refunds", {"amount": 1, "channel": "bank"}, "body.amount"),
    ("accounts/spare/refunds", {"amount": "1", "chanel": "bank"}, "body.chanel"),
    ("accounts/spare/adjustments", {"amount": "0.00"}, "body.amount"),
    ("accounts/spare/adjustments", {"amount": "1", "bearer": "me"}, "body.bearer"),
    ("accounts/spare/debts", {"amount": "1", "source": "wallet"}, "body.source"),
    ("accounts/spare/debt-payments", {"amount": "0", "channel": "bank"}, "body.amount"),
    ("accounts/spare/write-offs", {"amount": "1e3"}, "body.amount"),
    ("accounts/spare/closings", {"channel": "my bank"}, "body.channel"),
    ("accounts/spare/disputes", {"dispute": "d", "amount": "1", "about_position": 0}, "body.about_position"),
    ("accounts/spare/disputes", {"dispute": "d", "amount": "1", "about_position": "7"}, "body.about_position"),
    ("accounts/spare/disputes/d/resolutions", {"outcome": "lost"}, "body.outcome"),
    ("top-ups/0/reversals", {}, "path.position"),
    ("top-ups/1/chargebacks", {"fee": "1001"}, "body.fee"),
    ("top-ups/1/transfers", {"to_account": ""}, "body.to_account"),
    ("debits/1/corrections", {"amount": "0.0000001"}, "body.amount"),
]


def test_a_bad_value_is_told_with_its_place(api: Api) -> None:
    key = api.key("finance")
    for path, body, where in BAD:
        answer = api.post(f"/v1/{path}", key, body | WORDS, Idempotency_Key="k")
        assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json"), path
        assert where in [row["where"] for row in answer.json()["errors"]], path


def test_nothing_is_done_to_money_without_an_idempotency_key(api: Api) -> None:
    answer = api.post("/v1/accounts/spare/refunds", api.key("finance"), WORDS | {"amount": "1", "channel": "bank"})
    assert (answer.status_code, "Idempotency-Key" in answer.json()["detail"]) == (422, True)


def test_a_dispute_is_opened_listed_and_resolved(api: Api) -> None:
    position, key, path = topped_up(api), api.key("finance"), "/v1/accounts/spare/disputes"
    body = WORDS | {"dispute": "d/1", "amount": "5", "about_position": position}
    assert api.post(path, api.key("operator"), body, Idempotency_Key="k1").status_code == 201
    second = WORDS | {"dispute": "d2", "amount": "1"}
    assert api.post(path, key, second, Idempotency_Key="k2").status_code == 201
    assert api.post(path, key, second, Idempotency_Key="k2").json()["is_repeat"] is True
    assert api.post(path, key, second, Idempotency_Key="k3").status_code == 409
    other = api.post(path, key, second | {"amount": "2"}, Idempotency_Key="k2")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    page = api.get(path, key, limit=1).json()
    assert [(row["dispute"], row["amount"], row["about_position"]) for row in page["items"]] == [
        ("d/1", "5.00", position)
    ]
    assert api.get(path, key, cursor=page["next_cursor"]).json()["items"][0]["dispute"] == "d2"
    end: JSON = WORDS | {"outcome": "upheld"}
    refused = api.post(f"{path}/d~1/resolutions", key, end, Idempotency_Key="k4")
    assert (refused.status_code, "names the event that put it right" in refused.json()["detail"]) == (409, True)
    end |= {"remedy_position": position}
    first, again = (api.post(f"{path}/d~1/resolutions", key, end, Idempotency_Key="k5") for _ in range(2))
    assert (first.status_code, again.json()) == (201, first.json() | {"is_repeat": True})
    other = api.post(f"{path}/d~1/resolutions", key, WORDS | {"outcome": "rejected"}, Idempotency_Key="k5")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    assert [row["dispute"] for row in api.get(path, key).json()["items"]] == ["d2"]


def test_an_accounts_top_ups_are_listed_with_what_became_of_them(api: Api) -> None:
    kiosk, key = api.key("kiosk"), api.key("finance")
    positions = [
        api.post("/v1/accounts/spare/top-ups", kiosk, {"amount": amount}, Idempotency_Key=amount).json()["position"]
        for amount in ("10", "20", "30")
    ]
    api.post(f"/v1/top-ups/{positions[1]}/reversals", key, WORDS, Idempotency_Key="k")
    first = api.get("/v1/accounts/spare/top-ups", key, limit=2).json()
    rest = api.get("/v1/accounts/spare/top-ups", key, limit=2, cursor=first["next_cursor"]).json()
    found = [(row["position"], row["amount"], row["is_undone"]) for row in first["items"] + rest["items"]]
    assert found == [(positions[0], "10.00", False), (positions[1], "20.00", True), (positions[2], "30.00", False)]
    assert rest["next_cursor"] is None
    assert api.get("/v1/accounts/none/top-ups", key).status_code == 404
