"""The OpenAPI document, and schemathesis against the running API: nothing found."""

import json
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from console.cli import make_app
from tests.api.conftest import Api

# Beside what its coverage phase tries of every operation.
EXAMPLES = 50 if os.environ.get("WATTLEDGER_HYPOTHESIS") == "long" else 3


def test_the_command_prints_the_document_without_any_service() -> None:
    document = json.loads(CliRunner().invoke(make_app(), ["openapi"]).output)
    assert document["openapi"].startswith("3.1")
    assert "/v1/accounts/{account}/top-ups" in document["paths"]


def test_schemathesis_finds_nothing(api: Api, tmp_path: Path) -> None:
    key = api.key("kiosk", "payment-provider", "finance", "operator", "auditor", requests_per_minute=1_000_000)
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{api.address}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {key}", "--max-examples", f"{EXAMPLES}", "--seed", "7"]
    command += ["--checks", "all", "--no-color"]
    longest_s = 50 * EXAMPLES
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=longest_s, check=False, cwd=tmp_path)
    assert outcome.returncode == 0, outcome.stdout[-30000:] + outcome.stderr[-2000:]
