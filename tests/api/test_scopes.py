"""Every operation against every scope: who may, and which operations take an Idempotency-Key."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from console.cli import make_app
from tests.api.conftest import Api

SCOPES = {"k": "kiosk", "p": "payment-provider", "f": "finance", "o": "operator", "a": "auditor"}
# Each operation with the first letters of the scopes that may: one that is not here fails the test.
MAY = {
    "GET /v1/accounts": "foa",
    "POST /v1/accounts": "o",
    "GET /v1/accounts/{account}": "kfoa",
    "POST /v1/accounts/{account}/top-ups": "kf",
    "GET /v1/accounts/{account}/top-ups": "foa",
    "GET /v1/accounts/{account}/credit": "kfoa",
    "POST /v1/accounts/{account}/emergency-credit": "ko",
    "GET /v1/accounts/{account}/autopay": "kpfoa",
    "POST /v1/accounts/{account}/autopay/methods": "kpfo",
    "POST /v1/accounts/{account}/autopay/methods/{method}/unbind": "kpfo",
    "POST /v1/accounts/{account}/autopay/schedule": "kpfo",
    "POST /v1/accounts/{account}/autopay/threshold": "kpfo",
    "POST /v1/accounts/{account}/autopay/caps": "kpfo",
    "POST /v1/accounts/{account}/autopay/{rhythm}/end": "kpfo",
    "POST /v1/accounts/{account}/refunds": "f",
    "POST /v1/accounts/{account}/adjustments": "f",
    "POST /v1/accounts/{account}/write-offs": "f",
    "POST /v1/accounts/{account}/debts": "f",
    "POST /v1/accounts/{account}/debt-payments": "f",
    "POST /v1/accounts/{account}/closings": "f",
    "GET /v1/accounts/{account}/disputes": "foa",
    "POST /v1/accounts/{account}/disputes": "fo",
    "POST /v1/accounts/{account}/disputes/{dispute}/resolutions": "f",
    "GET /v1/accounts/{account}/statements/{month}": "kfoa",
    "GET /v1/top-ups/{position}/receipt": "kfoa",
    "POST /v1/top-ups/{position}/reversals": "f",
    "POST /v1/top-ups/{position}/chargebacks": "f",
    "POST /v1/top-ups/{position}/transfers": "f",
    "POST /v1/debits/{position}/corrections": "f",
    "GET /v1/events/{position}/links": "foa",
    "GET /v1/proposals": "fa",
    "GET /v1/proposals/{proposal}": "fa",
    "POST /v1/proposals/{proposal}/approvals": "f",
    "POST /v1/proposals/{proposal}/rejections": "f",
    "GET /v1/receipts": "fa",
    "POST /v1/receipts": "pf",
    "POST /v1/receipts/{receipt}/identifications": "f",
    "POST /v1/receipts/{receipt}/returns": "f",
    "GET /v1/payers/{payer}": "fa",
    "POST /v1/payers/{payer}/accounts": "f",
    "POST /v1/payers/{payer}/top-ups": "f",
    "POST /v1/payouts": "f",
    "GET /v1/agents": "fa",
    "POST /v1/agents": "f",
    "GET /v1/agents/{agent}": "kfa",
    "POST /v1/agents/{agent}/terms": "f",
    "POST /v1/agents/{agent}/deposits": "f",
    "GET /v1/agents/{agent}/entries": "kfa",
    "GET /v1/supplies": "foa",
    "GET /v1/supplies/{supply}": "kfoa",
    "POST /v1/supplies/{supply}/consents": "ko",
    "POST /v1/supplies/{supply}/locks": "o",
    "POST /v1/supplies/{supply}/unlocks": "o",
    "POST /v1/supplies/{supply}/tokens": "ko",
    "GET /v1/tokens/{position}": "ko",
    "POST /v1/batches": "o",
    "GET /v1/meters": "foa",
    "GET /v1/meters/{meter}": "foa",
    "GET /v1/concentrators": "foa",
    "GET /v1/tariffs": "kpfoa",
    "GET /v1/tariffs/{tariff}/versions": "kpfoa",
    "GET /v1/tariffs/{tariff}/quote": "kpfoa",
    "GET /v1/held-readings": "oa",
    "POST /v1/held-readings/{position}/releases": "o",
    "POST /v1/held-readings/{position}/dismissals": "o",
    "GET /v1/worklist": "foa",
    "POST /v1/held-cuts/{site}/releases": "o",
    "POST /v1/held-cuts/{site}/dismissals": "o",
    "GET /v1/trial-balance": "fa",
}
# Signed by the provider, not opened by a key; or part of another's table.
ELSEWHERE = ("/v1/webhooks/", "/health", "/metrics")
# What is the same when done twice, or refused the second time, whatever its key.
WITHOUT_KEY = {
    "POST /v1/accounts",
    "POST /v1/accounts/{account}/autopay/caps",
    "POST /v1/accounts/{account}/autopay/methods",
    "POST /v1/accounts/{account}/autopay/methods/{method}/unbind",
    "POST /v1/accounts/{account}/autopay/schedule",
    "POST /v1/accounts/{account}/autopay/threshold",
    "POST /v1/accounts/{account}/autopay/{rhythm}/end",
    "POST /v1/agents",
    "POST /v1/agents/{agent}/terms",
    "POST /v1/payers/{payer}/accounts",
    "POST /v1/proposals/{proposal}/approvals",
    "POST /v1/proposals/{proposal}/rejections",
}


@pytest.fixture(scope="module")
def operations() -> dict[str, set[str]]:
    """Every operation of the document with the headers that it must have."""
    paths = json.loads(CliRunner().invoke(make_app(), ["openapi"]).output)["paths"]
    return {
        f"{method.upper()} {path}": {
            row["name"] for row in told.get("parameters", []) if row["in"] == "header" and row["required"]
        }
        for path, methods in paths.items()
        if not path.startswith(ELSEWHERE)
        for method, told in methods.items()
    }


def test_every_operation_is_for_the_scopes_that_are_told_here_and_no_other(
    api: Api, operations: dict[str, set[str]]
) -> None:
    assert set(operations) == set(MAY)
    keys = {letter: api.key(scope) for letter, scope in SCOPES.items()}
    found = {}
    for operation in operations:
        method, _, path = operation.partition(" ")
        path = path.replace("{position}", "1").replace("{month}", "2026-07").replace("{", "").replace("}", "")
        ask = api.get if method == "GET" else lambda path, key: api.post(path, key, {})
        statuses = {letter: ask(path, key).status_code for letter, key in keys.items()}
        assert not {401, 500} & set(statuses.values()), (operation, statuses)
        found[operation] = "".join(letter for letter, status in statuses.items() if status != 403)
    # An agent's own figures are for their own key only, and this one is nobody's.
    own = {operation: "fa" for operation in MAY if operation.startswith("GET /v1/agents/{agent}")}
    assert found == MAY | own


def test_every_operation_that_moves_money_takes_an_idempotency_key(operations: dict[str, set[str]]) -> None:
    posts = {operation for operation in operations if operation.startswith("POST")}
    assert {row for row in posts if "Idempotency-Key" not in operations[row]} == WITHOUT_KEY


def test_the_page_about_the_api_tells_every_operation_with_its_scopes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+ /v1/\S+)` \| (.+) \|$", page, flags=re.MULTILINE))
    assert told == {operation: ", ".join(SCOPES[letter] for letter in may) for operation, may in MAY.items()}
