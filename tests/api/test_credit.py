"""Credit over HTTP: where an account stands, emergency credit, what a top-up went to."""

from datetime import UTC, datetime

from ledger.domain.credit.policy import CreditPolicy, EmergencyCredit
from ledger.store.application import Ledger
from ledger.usecases.credit.policies import set_credit_policy
from tests.api.conftest import Api
from tests.ledger.builders import MOVED_IN


def test_a_kiosk_tells_where_an_account_stands_and_takes_emergency_credit(api: Api) -> None:
    policy = CreditPolicy(emergency=EmergencyCredit(limit_micros=10_000_000, offered_below_micros=90_000_000))
    with Ledger(url=api.database.url("wattledger_writer")) as ledger:
        set_credit_policy(
            ledger, site="north", policy=policy, effective_from=MOVED_IN, operator="li", now=datetime.now(UTC)
        )
    key = api.key("kiosk")
    offered = api.get("/v1/accounts/tenant~2/credit", key).json()
    assert (offered["emergency"], offered["emergency_limit"]) == ("offered", "10.00")
    taken = api.post("/v1/accounts/tenant~2/emergency-credit", key, {}, Idempotency_Key="e-1")
    again = api.post("/v1/accounts/tenant~2/emergency-credit", key, {}, Idempotency_Key="e-1")
    assert (taken.status_code, again.json()["is_repeat"]) == (201, True)
    other = api.post("/v1/accounts/tenant~2/emergency-credit", key, {}, Idempotency_Key="e-2")
    assert other.status_code == 409
    assert "taken already" in other.json()["detail"]
    assert api.get("/v1/accounts/tenant~2/credit", key).json()["cut_at"] == "-10.00"


def test_a_top_up_s_answer_says_what_it_went_to(api: Api) -> None:
    answer = api.post("/v1/accounts/tenant~1/top-ups", api.key("kiosk"), {"amount": "5"}, Idempotency_Key="k").json()
    assert answer["applied"] == [{"part": "balance", "amount": "5.00"}]
