import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

SECONDS = 15


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_bills_every_watt_hour_and_leaves_no_process_behind(tmp_path: Path) -> None:
    figures_file = tmp_path / "figures.json"
    environment = dict(os.environ, WATTLEDGER_DIRECTORY=str(tmp_path / "w"))
    command = [sys.executable, "-m", "console", "demo", "--headless"]
    command += ["--seconds", str(SECONDS), "--json", str(figures_file)]

    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)

    assert finished.returncode == 0, finished.stdout + finished.stderr
    figures = json.loads(figures_file.read_text())
    assert figures["disconnections_confirmed"] >= 1
    assert figures["reconnections_confirmed"] >= 1
    assert figures["protected_cuts"] == 0
    assert float(figures["protected_balance"]) < 0
    for told in (
        "low balance",
        "emergency credit of 0.30 CNY keeps the lights on",
        "outside the hours when nobody is cut",
        "off, confirmed by reading the relay back",
        'paid in at the kiosk ("appliances are off, switch on"), it went to',
        "emergency credit 0.30, balance",
        "on again, confirmed by reading the relay back",
        "room-106: nothing left, but protected (life support)",
    ):
        assert told in " ".join(finished.stdout.split()), told
    assert figures["trial_balance"] == "0.000000"
    assert figures["lag_events"] == 0
    assert figures["energy_on_registers_wh"] > 0
    assert figures["energy_on_registers_wh"] == figures["energy_billed_wh"] + figures["energy_held_wh"]
    assert figures["held_readings"] == 0
    assert figures["readings_published"] >= SECONDS
    assert set(figures["latency_s"]) == {"reading_to_balance", "top_up_to_relay"}
    assert _left_behind(tmp_path) == []


def _left_behind(directory: Path) -> list[str]:
    """The processes whose command line or environment still names the demo's directory."""
    left = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(str(directory) in part for part in process.info["cmdline"] or []):
            left.append(" ".join(process.info["cmdline"]))
    return left
