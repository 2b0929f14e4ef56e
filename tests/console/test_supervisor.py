import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from console.embedded.child import start_child, stop_child
from console.embedded.ports import free_port
from console.errors import ServiceFailed
from console.supervisor import StopRequested, Supervisor
from tests.services.processes import ends, family

SLEEPING = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
WITH_A_GRANDCHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
HEALTHY = """if True:
    import http.server, sys, time
    time.sleep(0.3)
    class Well(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(int(sys.argv[2]))
            self.end_headers()
        def log_message(self, *_): pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Well).serve_forever()
"""

# A supervisor of its own, as a process that tests can signal and kill: two children, one with a child.
SUPERVISING = """if True:
    import sys, threading
    from pathlib import Path
    from console.supervisor import Supervisor, stop_on_signals
    stop = threading.Event()
    with stop_on_signals(stop), Supervisor(logs=Path(sys.argv[1]), stop_requested=stop) as supervisor:
        for name, script in zip(("first", "second"), sys.argv[2:]):
            supervisor.start(name, [sys.executable, "-c", script], environment={})
        supervisor.await_healthy()
        print("up", flush=True)
        supervisor.watch()
"""


def _python(script: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", script, *map(str, arguments)]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(logs=tmp_path, stop_requested=threading.Event()) as supervisor:
        yield supervisor


@pytest.fixture
def supervising(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = _python(SUPERVISING, tmp_path, SLEEPING, WITH_A_GRANDCHILD)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        while len(family(process.pid)) < 4:
            time.sleep(0.02)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(supervising: "subprocess.Popen[str]", number: signal.Signals) -> None:
    pids = family(supervising.pid)
    supervising.send_signal(number)
    assert supervising.wait(timeout=15) == 0
    assert ends(pids)


def test_kill_9_of_the_supervisor_leaves_no_child(supervising: "subprocess.Popen[str]") -> None:
    children = family(supervising.pid)[1:3]
    supervising.kill()
    assert ends(children)


def test_the_crash_of_a_child_stops_all_and_names_it_with_its_last_words(tmp_path: Path) -> None:
    crashing = "import sys; sys.exit('the meter of room 101 is on fire')"
    command = _python(SUPERVISING, tmp_path, SLEEPING, crashing)
    outcome = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert outcome.returncode != 0
    assert "second ended unasked (exit code 1)" in outcome.stderr
    assert "the meter of room 101 is on fire" in outcome.stderr


def test_a_killed_child_is_reported_by_its_signal(supervisor: Supervisor) -> None:
    supervisor.start("price", _python("import os; os.kill(os.getpid(), 9)"), environment={})
    with pytest.raises(ServiceFailed, match=r"price ended unasked \(signal SIGKILL\)"):
        supervisor.watch()


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    process = start_child(_python(STUBBORN), log=tmp_path / "log")
    while "up" not in (tmp_path / "log").read_text():
        time.sleep(0.02)
    assert stop_child(process, patience_s=0.2) == -signal.SIGKILL


def test_children_are_stopped_last_started_first(tmp_path: Path) -> None:
    stopped: list[str] = []
    with Supervisor(logs=tmp_path, stop_requested=threading.Event()) as supervisor:
        for name in ("postgres", "broker"):
            process = start_child(_python(SLEEPING), log=tmp_path / name)
            supervisor.adopt(name, process=process, log=tmp_path / name, stop=partial(stopped.append, name))
    assert stopped == ["broker", "postgres"]


def test_a_role_is_ready_once_it_says_that_it_is_well(supervisor: Supervisor) -> None:
    port = free_port()
    supervisor.start("serve", _python(HEALTHY, port, 200), environment={}, health_port=port)
    started = time.monotonic()
    supervisor.await_healthy()
    assert time.monotonic() - started > 0.2


def test_a_role_that_is_never_well_fails_the_start(supervisor: Supervisor) -> None:
    port = free_port()
    supervisor.start("serve", _python(HEALTHY, port, 503), environment={}, health_port=port)
    with pytest.raises(ServiceFailed, match="serve is not well after"):
        supervisor.await_healthy(timeout_s=1)


def test_a_role_that_dies_before_it_is_well_is_told_at_once(supervisor: Supervisor) -> None:
    supervisor.start("price", _python("raise SystemExit(3)"), environment={}, health_port=free_port())
    with pytest.raises(ServiceFailed, match=r"price ended unasked \(exit code 3\)"):
        supervisor.await_healthy()


def test_a_stop_while_children_start_ends_the_wait(tmp_path: Path) -> None:
    stop_requested = threading.Event()
    with Supervisor(logs=tmp_path, stop_requested=stop_requested) as supervisor:
        supervisor.start("price", _python(SLEEPING), environment={}, health_port=free_port())
        threading.Timer(0.3, stop_requested.set).start()
        with pytest.raises(StopRequested):
            supervisor.await_healthy()
        with pytest.raises(StopRequested):
            supervisor.start("control", _python(SLEEPING), environment={})


def test_a_role_can_be_stopped_and_started_again(supervisor: Supervisor) -> None:
    supervisor.start("price", _python(SLEEPING), environment={})
    first = supervisor.pid_of("price")
    supervisor.stop_one("price")
    supervisor.start("price", _python(SLEEPING), environment={})
    assert supervisor.pid_of("price") != first
    supervisor.check()


def test_a_program_that_is_not_there_is_an_error_of_ours(supervisor: Supervisor) -> None:
    with pytest.raises(ServiceFailed, match="cannot be started"):
        supervisor.start("price", ["/nowhere/at-all"], environment={})
