"""The edge's processes from outside: their help, their errors, their metrics, their end."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.collectors.builders import SIGNER, a_site, free_port, serial_of


def _environment(**settings: str) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("WATTLEDGER_")} | settings


def _run(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "console", *arguments],
        env=_environment(**settings),
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def _started(*arguments: str, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "console", *arguments],
        env=_environment(**settings),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _soon(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def test_wrong_settings_are_told_at_once_without_a_traceback() -> None:
    outcome = _run("collect", WATTLEDGER_METRICS_PORT="http")
    assert outcome.returncode == 2
    for name in ("KAFKA_BOOTSTRAP", "SITE_FILE", "ORDER_PUBLIC_KEY", "METRICS_PORT"):
        assert f"WATTLEDGER_{name}" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_a_wrong_site_file_is_told_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "site.toml").write_text("[collector]\n")
    outcome = _run("simulate", "--site", str(tmp_path / "site.toml"))
    assert outcome.returncode == 2
    assert "collector.id: is missing" in outcome.stderr
    assert "add a [[concentrators]] table" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_simulator_freezes_on_sigusr1_and_says_so_in_its_state_file(tmp_path: Path) -> None:
    a_site(tmp_path, ports=[free_port()])
    state_file = tmp_path / "state.json"
    options = ("--site", str(tmp_path / "site.toml"), "--state", str(state_file), "--speed", "36000")
    with _started("simulate", *options) as simulator:
        _soon(state_file.exists)
        simulator.send_signal(signal.SIGUSR1)
        _soon(lambda: bool(json.loads(state_file.read_text())["frozen"]))
        frozen = json.loads(state_file.read_text())
        simulator.send_signal(signal.SIGTERM)
        assert simulator.wait(10) == 0
    assert json.loads(state_file.read_text()) == frozen
    meter = frozen["meters"][serial_of(1)]
    assert meter["register_milliwh"] == meter["register_counts"] * 10_000 > meter["opening_milliwh"]


def test_without_a_broker_the_collector_polls_and_spools_and_tells_prometheus(tmp_path: Path) -> None:
    a_site(tmp_path, ports=[free_port()])
    site_file, metrics_port = str(tmp_path / "site.toml"), free_port()
    settings = {
        "WATTLEDGER_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "WATTLEDGER_ORDER_PUBLIC_KEY": SIGNER.public_key_hex,
        "WATTLEDGER_METRICS_PORT": str(metrics_port),
        "WATTLEDGER_SPOOL": str(tmp_path / "elsewhere" / "spool"),
    }
    told = f"http://127.0.0.1:{metrics_port}"
    with _started("simulate", "--site", site_file), _started("collect", "--site", site_file, **settings) as collector:
        _soon(lambda: 'wattledger_readings_total{concentrator="C1"} 3.0' in _get(f"{told}/metrics"))
        assert "wattledger_polling_stopped 0.0" in _get(f"{told}/metrics")
        collector.send_signal(signal.SIGUSR1)
        _soon(lambda: "wattledger_polling_stopped 1.0" in _get(f"{told}/metrics"))
        metrics, health = _get(f"{told}/metrics"), json.loads(_get(f"{told}/health"))
        assert health["broker_connected"] is False
        assert health["polling_stopped"] is True
        assert f"wattledger_spool_sweeps {health['spool_sweeps']:.1f}" in metrics
        assert health["spool_sweeps"] >= 4
        for name in ("wattledger_spool_oldest_age_seconds", "wattledger_poll_seconds_bucket"):
            assert name in metrics
        collector.send_signal(signal.SIGTERM)
        assert collector.wait(10) == 0
        _, said = collector.communicate()
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert {"collecting", "broker away", "polling stopped", "collector stopped"} <= set(events)
    assert (tmp_path / "elsewhere" / "spool").exists()
