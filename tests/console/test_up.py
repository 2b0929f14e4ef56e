"""`wattledger up`, as people start it: the whole system in real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from console.commands.supervising import edge_roles
from tests.services.processes import ends, family

SERVER = ("price", "project", "control", "calendar", "seal", "serve")


@contextmanager
def _up(directory: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
    command = [sys.executable, "-m", "console", "up", *arguments]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=inherited | {"WATTLEDGER_DIRECTORY": str(directory), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "is up" in line:
                break
        else:
            pytest.fail("".join(said))
        yield process
        process.kill()


def _pid_of(role: str, *, among: list[int]) -> int:
    return next(pid for pid in among if psutil.Process(pid).cmdline()[-1:] == [role])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_on_a_signal(service_directory: Path, number: signal.Signals) -> None:
    with _up(service_directory / f"up-{number.name}") as process:
        pids = family(process.pid)
        for role in SERVER:
            _pid_of(role, among=pids)
        process.send_signal(number)
        assert process.stdout is not None
        assert "nothing is left running" in process.stdout.read()
        assert process.wait() == 0
        assert ends(pids)


@pytest.mark.slow
@pytest.mark.parametrize("role", ["price", "postgres"])
def test_the_death_of_any_process_stops_all_and_is_told(service_directory: Path, role: str) -> None:
    with _up(service_directory / f"up-{role}-dies") as process:
        pids = family(process.pid)
        victim = (
            _pid_of(role, among=pids)
            if role in SERVER
            else next(pid for pid in pids if psutil.Process(pid).name() == "postgres")
        )
        os.kill(victim, signal.SIGKILL)
        assert process.stdout is not None
        said = process.stdout.read()
        assert process.wait() == 2
        # When PostgreSQL dies, a role that notices first may be the one that is named.
        assert "price ended unasked (signal SIGKILL)" in said if role == "price" else "ended unasked" in said
        assert ends(pids)


@pytest.mark.slow
def test_kill_9_of_it_leaves_no_process(service_directory: Path) -> None:
    with _up(service_directory / "up-killed") as process:
        pids = family(process.pid)
        process.kill()
        started = time.monotonic()
        assert ends(pids)
        assert time.monotonic() - started < 15


def test_meters_are_simulated_before_they_are_read() -> None:
    site = Path("site.toml")
    assert edge_roles(site=None, simulate=False) == []
    assert edge_roles(site=site, simulate=False) == ["collect"]
    assert edge_roles(site=site, simulate=True) == ["simulate", "collect"]
