import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

SECONDS = 15


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_demo_bills_every_watt_hour_and_leaves_no_process_behind(tmp_path: Path) -> None:
    figures_file = tmp_path / "figures.json"
    environment = dict(os.environ, WATTLEDGER_DIRECTORY=str(tmp_path / "w"))
    command = [sys.executable, "-m", "console", "demo", "--headless", "--stay"]
    command += ["--seconds", str(SECONDS), "--json", str(figures_file)]

    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        told, answers = _told_and_tried(demo)
        code = demo.wait(timeout=200)

    assert code == 0, told
    _check_answers(*answers)
    figures = json.loads(figures_file.read_text())
    assert figures["disconnections_confirmed"] >= 1
    assert figures["reconnections_confirmed"] >= 1
    assert figures["protected_cuts"] == 0
    assert float(figures["protected_balance"]) < 0
    assert (figures["webhooks_booked"], figures["automatic_top_ups"]) == (2, 1)
    assert figures["receipts"] >= 3
    for words in (
        "low balance",
        "emergency credit of 0.30 CNY keeps the lights on",
        "outside the hours when nobody is cut",
        "off, confirmed by reading the relay back",
        'paid in at the kiosk ("appliances are off, switch on"), it went to',
        "emergency credit 0.30, balance",
        "on again, confirmed by reading the relay back",
        "room-106: nothing left, but protected (life support)",
        "room-206: below 0.70 CNY its card is charged by itself: 20.00 CNY paid in",
        "room-202: 25.00 CNY paid online, told by the provider's signed webhook",
    ):
        assert words in " ".join(told.split()), words
    papers = sorted(path.name for path in (tmp_path / "w" / "demo" / "papers").iterdir())
    assert sum(name.startswith("receipt-") for name in papers) == 3 * figures["receipts"]
    assert [name.partition(".")[2] for name in papers if name.startswith("statement-account-202-")] == [
        "en.html",
        "en.pdf",
        "zh.pdf",
    ]
    assert figures["trial_balance"] == "0.000000"
    assert figures["lag_events"] == 0
    assert figures["energy_on_registers_wh"] > 0
    assert figures["energy_on_registers_wh"] == figures["energy_billed_wh"] + figures["energy_held_wh"]
    assert figures["held_readings"] == 0
    assert figures["readings_published"] >= SECONDS
    assert set(figures["latency_s"]) == {"reading_to_balance", "top_up_to_relay"}
    assert _left_behind(tmp_path) == []


def _told_and_tried(demo: "subprocess.Popen[str]") -> tuple[str, list[str]]:
    """Read what the demo prints to its end, and run each of its three lines as it stands once it is printed.

    When it says what to try next it stays; then it is asked to stop.
    """
    assert demo.stdout is not None
    lines: list[str] = []
    answers: dict[int, str] = {}
    trying: list[threading.Thread] = []
    for line in demo.stdout:
        lines.append(line)
        if line.startswith("  curl "):
            number = len(trying)
            trying.append(threading.Thread(target=lambda n=number, text=line: answers.update({n: _tried(text)})))
            trying[-1].start()
        if "what to try next" in line:
            demo.send_signal(signal.SIGTERM)
    for thread in trying:
        thread.join()
    return "".join(lines), [answers[number] for number in sorted(answers)]


def _tried(line: str) -> str:
    """Run a line until it is answered, for what it asks about has to be projected first."""
    deadline = time.monotonic() + 20
    while True:
        answer = subprocess.run([*shlex.split(line), "-sS", "--fail"], capture_output=True, text=True, check=False)
        if answer.returncode == 0 or time.monotonic() > deadline:
            return answer.stdout or answer.stderr
        time.sleep(0.2)


def _check_answers(account: str, top_up: str, statement: str) -> None:
    assert json.loads(account)["account"] == "account-201"
    booked: dict[str, Any] = json.loads(top_up)
    assert (booked["account"], booked["amount"], booked["is_repeat"]) == ("account-201", "25.00", False)
    assert "<h1>电费账单</h1>" in statement


def _left_behind(directory: Path) -> list[str]:
    """The processes whose command line or environment still names the demo's directory."""
    left = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        if any(str(directory) in part for part in process.info["cmdline"] or []):
            left.append(" ".join(process.info["cmdline"]))
    return left
