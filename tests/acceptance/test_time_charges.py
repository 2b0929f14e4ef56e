"""Standing charges and a minimum in the whole system: nothing is read, the days are charged all the same."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.tariff_desk import HEAD
from tests.console.test_up import _up

SHANGHAI = ZoneInfo("Asia/Shanghai")
STANDING = (
    HEAD.format(code="standing")
    + """
[[charges]]
component = "energy"
kind = "flat"
price_per_kwh = "0.50"

[[charges]]
component = "line"
kind = "daily"
price_per_day = "0.30"

[[charges]]
component = "capacity"
kind = "per-kw"
price_per_kw_month = "36.5"

[[taxes]]
component = "vat"
percent = "10"
on = ["line", "capacity"]
"""
)


@pytest.fixture
def directory(service_directory: Path) -> Iterator[Path]:
    directory = service_directory / "up-time-charges"
    with _up(directory):
        yield directory


def wattledger(directory: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
    finished = subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        env=inherited | {"WATTLEDGER_DIRECTORY": str(directory)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.mark.slow
def test_days_are_charged_without_any_reading_and_explain_themselves(directory: Path, tmp_path: Path) -> None:
    today = datetime.now(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=3)
    tariff = tmp_path / "standing.toml"
    tariff.write_text(STANDING)
    wattledger(directory, "tariff", "publish", str(tariff), "--note", "first", "--from", "2020-01-01T00:00:00+08:00")
    wattledger(directory, "site", "set", "hill", "--from", "2020-01-01T00:00:00+08:00")
    wattledger(
        directory, "supply", "add", "house", "--site", "hill", "--concentrator", "c1", "--meter", "m1",
        "--account", "li", "--tariff", "standing", "--contracted-kw", "5", "--from", since.isoformat(),
    )  # fmt: skip
    facts = charges(directory)
    # 0.30 a day and 1.20 per kW and day, and 10% of both.
    assert sum(Decimal(fact["amount"]) for fact in facts) == -3 * (Decimal("0.30") + 5 * Decimal("1.20")) * Decimal(
        "1.1"
    )
    told = wattledger(directory, "tariff", "explain", "li", facts[0]["position"])
    assert "the calendar's tick of" in told
    assert "contracted power  5.000 kW" in re.sub(" {2,}", "  ", told)
    assert "equal, counters and amounts" in told


def charges(directory: Path) -> list[dict[str, str]]:
    """Wait until the account was charged for days, and return the charges as the replay tells them."""
    deadline = time.monotonic() + 60
    while True:
        lines = wattledger(directory, "audit", "replay", "li", "--format", "jsonl").splitlines()
        found = [one for line in lines if "time-charge" in (one := json.loads(line)).get("topic", "")]
        if found:
            return [{name: str(one[name]) for name in ("position", "amount")} for one in found]
        assert time.monotonic() < deadline, f"nothing was charged by {datetime.now(UTC)}: {lines}"
        time.sleep(1)
