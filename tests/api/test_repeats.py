"""A key that comes again with other content moves nothing, and says what differs."""

from collections.abc import Iterator

import psycopg

from tests.api.conftest import JSON, Api
from tests.api.test_agents import AGENT
from tests.api.test_corrections import debited, topped_up
from tests.api.test_worklist import hold

WORDS: JSON = {"reason": "wrong-account", "operator": "op-1"}
OTHER_WORDS: JSON = {"reason": "other", "operator": "op-2"}


def commands(api: Api) -> Iterator[tuple[str, JSON, JSON]]:
    """Yield commands in an order in which each is carried out: path, body, and what is changed in it, each alone."""
    account, brought = "/v1/accounts/spare", {"amount": "50", "source": "brought-forward"}
    top_up = topped_up(api, amount="90")
    back, moved = (topped_up(api, amount=amount, key=key) for amount, key in (("1", "back"), ("2", "moved")))
    debit = debited(api, "room-3", "tenant/3", "6")
    held, dismissed = hold(api, "room-1", "room-2")
    yield f"{account}/top-ups", {"amount": "5"}, {"amount": "6", "channel": "bank"}
    yield f"{account}/debts", brought | WORDS, {"amount": "51", **OTHER_WORDS}
    paid = {"amount": "4", "channel": "kiosk"}
    yield f"{account}/debt-payments", paid | WORDS, {"amount": "5", "channel": "bank", **OTHER_WORDS}
    yield f"{account}/write-offs", {"amount": "4"} | WORDS, {"amount": "5", **OTHER_WORDS}
    yield f"{account}/refunds", paid | WORDS, {"amount": "5", "channel": "bank", **OTHER_WORDS}
    yield f"{account}/adjustments", {"amount": "-4"} | WORDS, {"amount": "4", "bearer": "gifts", **OTHER_WORDS}
    opened = {"dispute": "d1", "amount": "5"}
    changed = {"dispute": "d2", "amount": "6", "about_position": top_up, **OTHER_WORDS}
    yield f"{account}/disputes", opened | WORDS, changed
    yield (
        f"{account}/disputes/d1/resolutions",
        {"outcome": "rejected"} | WORDS,
        {"outcome": "withdrawn", **OTHER_WORDS},
    )
    yield f"/v1/top-ups/{top_up}/reversals", WORDS, OTHER_WORDS
    yield f"/v1/top-ups/{back}/chargebacks", {"fee": "3"} | WORDS, {"fee": "4", **OTHER_WORDS}
    changed = {"to_account": "tenant/2", **OTHER_WORDS}
    yield f"/v1/top-ups/{moved}/transfers", {"to_account": "tenant/1"} | WORDS, changed
    yield f"/v1/debits/{debit}/corrections", {"amount": "1"} | WORDS, {"amount": "2", **OTHER_WORDS}
    payout = {"channel": "shop", "gross": "9", "bank": "main", "operator": "op-1"}
    changed = {"channel": "shop-2", "gross": "8", "fees": "1", "commission": "1", "bank": "b", "operator": "op-2"}
    yield "/v1/payouts", payout, changed
    kept = {"receipt": "b/1", "amount": "5"}
    yield "/v1/receipts", kept, {"receipt": "b/2", "amount": "6", "channel": "kiosk"}
    yield "/v1/receipts", kept | {"receipt": "b/3"}, {"amount": "6"}
    owner = {"account": "spare", "operator": "op-1"}
    yield "/v1/receipts/b~1/identifications", owner, {"account": "tenant/1", "operator": "op-2"}
    yield "/v1/receipts/b~3/returns", WORDS, OTHER_WORDS
    deposit = {"amount": "5", "operator": "op-1"}
    api.post("/v1/agents", api.key("finance"), AGENT)
    yield "/v1/agents/lobby/deposits", deposit, {"amount": "6", "operator": "op-2"}
    yield f"/v1/held-readings/{held}/releases", WORDS, OTHER_WORDS
    yield f"/v1/held-readings/{dismissed}/dismissals", WORDS, OTHER_WORDS
    yield "/v1/supplies/room-1/locks", WORDS, {"cause": "tamper", **OTHER_WORDS}
    yield "/v1/supplies/room-1/unlocks", WORDS, {"approved_by": "op-3", **OTHER_WORDS}
    yield f"{account}/closings", {"channel": "bank"} | WORDS, {"channel": "kiosk", **OTHER_WORDS}


def events(api: Api) -> int:
    with psycopg.connect(api.database.url()) as connection:
        row = connection.execute("SELECT count(*) FROM ledger.events").fetchone()
    assert row is not None
    return int(row[0])


def test_a_key_that_comes_again_with_other_content_is_refused_and_books_nothing(api: Api) -> None:
    key = api.key("kiosk", "payment-provider", "finance", "operator", "auditor")
    wrong = []
    for number, (path, body, changes) in enumerate(commands(api)):
        idempotency_key = f"repeated-{number}"
        first = api.post(path, key, body, Idempotency_Key=idempotency_key)
        assert first.status_code == 201, (path, first.text)
        booked = events(api)
        for name, value in changes.items():
            told = api.post(path, key, body | {name: value}, Idempotency_Key=idempotency_key)
            if (told.status_code, told.json().get("type")) != (409, "conflict") or name not in told.json()["detail"]:
                wrong.append((path, name, told.status_code, told.text[:150]))
        again = api.post(path, key, body, Idempotency_Key=idempotency_key)
        assert again.status_code == 201, (path, again.text)
        assert again.json().get("position") == first.json().get("position")
        assert events(api) == booked, path
    assert not wrong, "\n".join(map(str, wrong))
