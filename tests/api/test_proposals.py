"""What takes two people over HTTP: proposed by one, carried out once when another approves."""

from datetime import UTC, datetime

from ledger.store.application import Ledger
from ledger.usecases.money.limits import change_four_eyes
from tests.api.conftest import Api
from tests.api.test_corrections import balance, topped_up

REFUND = {"amount": "30", "channel": "bank", "reason": "moved-out", "operator": "op-1"}
PATH = "/v1/accounts/spare/refunds"


def two_people_above(api: Api, limit_micros: int) -> None:
    now = datetime.now(UTC)
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        change_four_eyes(ledger, effective_from=now, operator="op-1", now=now, limit_micros=limit_micros)


def test_a_refund_above_the_limit_waits_for_another_and_is_then_booked_once(api: Api) -> None:
    topped_up(api)
    two_people_above(api, 20_000_000)
    key = api.key("finance")
    first, again = (api.post(PATH, key, REFUND, Idempotency_Key="k1") for _ in range(2))
    assert (first.status_code, first.json()["position"], first.json()["is_repeat"]) == (202, None, False)
    assert (again.status_code, again.json()) == (202, first.json() | {"is_repeat": True})
    assert "30.00 is above 20.00" in first.json()["proposal"]["why"]
    assert balance(api) == "40.000000"
    code = first.json()["proposal"]["proposal"]
    listed = api.get("/v1/proposals", api.key("auditor"), open="true").json()["items"]
    assert listed == [api.get(f"/v1/proposals/{code}", key).json()]
    assert (listed[0]["kind"], listed[0]["outcome"], listed[0]["decided_by"]) == ("refund", "open", None)
    own = api.post(f"/v1/proposals/{code}/approvals", key, {"operator": "op-1"})
    assert (own.status_code, "cannot approve what they proposed" in own.json()["detail"]) == (409, True)
    approved, repeated = (api.post(f"/v1/proposals/{code}/approvals", key, {"operator": "op-2"}) for _ in range(2))
    assert (approved.status_code, approved.json()["is_repeat"]) == (201, False)
    assert repeated.json() == approved.json() | {"is_repeat": True}
    assert balance(api) == "10.000000"
    after = api.post(PATH, key, REFUND, Idempotency_Key="k1").json()["proposal"]
    assert (after["outcome"], after["decided_by"]) == ("approved", "op-2")
    assert api.get("/v1/proposals", key, open="true").json()["items"] == []


def test_a_proposal_is_rejected_and_its_key_takes_no_other_content(api: Api) -> None:
    topped_up(api)
    two_people_above(api, 0)
    key, words = api.key("finance"), {"reason": "too-much", "operator": "op-2"}
    codes = [
        api.post(PATH, key, REFUND | {"amount": f"{n}"}, Idempotency_Key=f"k{n}").json()["proposal"]["proposal"]
        for n in (1, 2, 3)
    ]
    other = api.post(PATH, key, REFUND | {"amount": "9"}, Idempotency_Key="k1")
    assert (other.status_code, other.json()["type"]) == (409, "conflict")
    rejected = api.post(f"/v1/proposals/{codes[0]}/rejections", key, words)
    assert (rejected.status_code, rejected.json()["outcome"]) == (201, "rejected")
    late = api.post(f"/v1/proposals/{codes[0]}/approvals", key, {"operator": "op-3"})
    assert (late.status_code, "is rejected already by 'op-2'" in late.json()["detail"]) == (409, True)
    assert api.post("/v1/proposals/none/approvals", key, {"operator": "op-3"}).status_code == 404
    api.catch_up()
    page = api.get("/v1/proposals", key, limit=2).json()
    rest = api.get("/v1/proposals", key, limit=2, cursor=page["next_cursor"]).json()
    assert [row["proposal"] for row in page["items"] + rest["items"]] == codes
    assert rest["next_cursor"] is None
