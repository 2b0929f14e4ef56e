"""The real worker as a process of its own, to be killed, stopped and started again."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

from console.embedded.child import start_child
from tests.services.broker import is_apache
from tests.streams.collector import until

# The embedded broker's groups take three seconds to form, whatever the sessions.
SESSION_S = 4.0


class WorkerProcess:
    """One `price` process, with its log; `sabotage` names what the launcher shall do to it. A context manager."""

    def __init__(
        self,
        directory: Path,
        *,
        url: str,
        bootstrap: str,
        name: str = "w1",
        sabotage: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        self.log = directory / f"{name}.log"
        self.sabotage = sabotage
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("WATTLEDGER_")},
            "PYTHONUNBUFFERED": "1",
            "WATTLEDGER_DATABASE_URL": url,
            "WATTLEDGER_KAFKA_BOOTSTRAP": bootstrap,
            "WATTLEDGER_KAFKA_IDEMPOTENCE": str(is_apache()).lower(),
            "WATTLEDGER_SESSION_TIMEOUT_S": str(SESSION_S),
            "WATTLEDGER_BATCH_MAX_MESSAGES": "5",
            "WATTLEDGER_BATCH_WAIT_S": "0.01",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._read_from = 0
        self._supervising = threading.Event()
        self.exits: list[int] = []

    def __enter__(self) -> "WorkerProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._supervising.set()
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def start(self) -> None:
        """Start the process (again); the log goes on in the same file."""
        self._read_from = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "tests.streams.launcher", *self.sabotage]
        self.process = start_child(command, log=self.log, environment=self._environment)

    def restart(self, *sabotage: str) -> None:
        """Start anew after an end, with other sabotage or none."""
        self.sabotage = sabotage
        self.start()

    def supervise(self) -> None:
        """From now on start the process again whenever it ends, as its supervisor would."""

        def watch() -> None:
            while not self._supervising.wait(0.1):
                code = self.running.poll()
                if code is not None:
                    self.exits.append(code)
                    self.restart()

        threading.Thread(target=watch, daemon=True).start()

    @property
    def running(self) -> "subprocess.Popen[bytes]":
        assert self.process is not None
        return self.process

    def said(self, text: str) -> bool:
        """Whether the log says something since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._read_from)
            return text.encode() in log.read()

    def wait_until_said(self, text: str, *, timeout_s: float = 40.0) -> None:
        """Wait until the log of this run says something."""

        def heard() -> bool:
            assert self.said(text) or self.running.poll() is None, f"ended {self.running.poll()}: {self.tail()}"
            return self.said(text)

        until(heard, timeout_s=timeout_s, what=lambda: f"no {text!r} in\n{self.tail()}")

    def wait_until_ready(self) -> None:
        self.wait_until_said("Worker ready")

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self.running.kill()
        self.running.wait()

    def terminate(self, *, timeout_s: float = 30.0) -> int:
        """Ask the process to stop, and return its exit code."""
        self.running.terminate()
        return self.running.wait(timeout_s)

    def wait_for_exit(self, *, timeout_s: float = 60.0) -> int:
        return self.running.wait(timeout_s)

    def stop_short(self) -> None:
        """Stop the process in mid-instruction (SIGSTOP)."""
        self.running.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.running.send_signal(signal.SIGCONT)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-4_000:]
