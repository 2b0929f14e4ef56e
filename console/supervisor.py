"""Children under one roof: started with a log each, watched together, stopped together in reverse order."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from types import FrameType

from console.embedded.child import log_tail, start_child, stop_child
from console.embedded.ports import LOOPBACK
from console.errors import ServiceFailed
from console.probe import probed

_POLL_INTERVAL_S = 0.1
# A role finishes what it is at: Faust leaves its group, a collector ends its sweep. Killing is safe, but not clean.
_PATIENCE_S = 25.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):
    """Someone asked us to stop while children were starting; nothing is wrong."""


@dataclass(slots=True, kw_only=True)
class Child:
    """A running process of ours; `stop` ends it in its own best way, `health_port` is where it says it is well."""

    name: str
    process: "Popen[bytes]"
    log: Path
    stop: Callable[[], object]
    health_port: int | None = None
    is_healthy: bool = False


class Supervisor:
    """Starts children and keeps them all or none: the end of any one, unasked for, is an error for the whole.

    A context manager: leaving it stops every child, the last started first. `stop_requested` is set by a signal
    (see `stop_on_signals`) or by anyone, and ends every wait in here with StopRequested.
    """

    def __init__(self, *, logs: Path, stop_requested: threading.Event) -> None:
        self._logs = logs
        self._children: dict[str, Child] = {}
        self.stop_requested = stop_requested

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @property
    def names(self) -> list[str]:
        """The children that run, in the order they were started."""
        return list(self._children)

    def pid_of(self, name: str) -> int:
        """Return a child's process id."""
        return self._children[name].process.pid

    def log_of(self, name: str) -> Path:
        """Return the file that a child's output goes to."""
        return self._children[name].log

    def adopt(self, name: str, *, process: "Popen[bytes]", log: Path, stop: Callable[[], object]) -> None:
        """Watch a child that was started elsewhere, and stop it with `stop` when its turn comes.

        Under a name that is there already it takes that child's place, and its turn.
        """
        self._children[name] = Child(name=name, process=process, log=log, stop=stop, is_healthy=True)

    def start(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], health_port: int | None = None
    ) -> None:
        """Start a child without waiting for it; its output goes to a log of its name.

        Raises StopRequested when a stop was asked for meanwhile, ServiceFailed when it cannot be started.
        """
        self._check_stop()
        if name in self._children:
            raise ServiceFailed(f"{name} runs already; stop it first")
        log = self._logs / f"{name}.log"
        process = start_child(command, log=log, environment=environment)
        self._children[name] = Child(
            name=name,
            process=process,
            log=log,
            stop=lambda: stop_child(process, patience_s=_PATIENCE_S),
            health_port=health_port,
            is_healthy=health_port is None,
        )

    def await_healthy(self, *, timeout_s: float = 60.0) -> None:
        """Wait until every child says that it is well.

        Raises ServiceFailed when one ends or is not well in time, StopRequested when a stop is asked for.
        """
        deadline = time.monotonic() + timeout_s
        while waiting := [child for child in self._children.values() if not child.is_healthy]:
            self.check()
            for child in waiting:
                child.is_healthy = probed(host=LOOPBACK, port=child.health_port or 0).is_well
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    "; ".join(f"{child.name} is not well after {timeout_s:g} s" for child in waiting)
                    + f"; {waiting[0].log} ends:\n{log_tail(waiting[0].log)}"
                )
            self.stop_requested.wait(_POLL_INTERVAL_S)

    def check(self) -> None:
        """Raise ServiceFailed when a child has ended, StopRequested when a stop was asked for."""
        self._check_stop()
        for child in self._children.values():
            code = child.process.poll()
            if code is not None:
                raise ServiceFailed(
                    f"{child.name} ended unasked ({_told(code)}); {child.log} ends:\n{log_tail(child.log)}"
                )

    def watch(self) -> None:
        """Return when a stop is asked for; raise ServiceFailed as soon as a child ends."""
        while not self.stop_requested.wait(_POLL_INTERVAL_S):
            try:
                self.check()
            except StopRequested:
                return

    def stop_one(self, name: str) -> None:
        """Stop one child and forget it; it may be started again under its name."""
        self._children.pop(name).stop()

    def stop(self) -> None:
        """Stop every child, the last started first."""
        while self._children:
            self._children.popitem()[1].stop()

    def _check_stop(self) -> None:
        if self.stop_requested.is_set():
            raise StopRequested("asked to stop")


@contextmanager
def stop_on_signals(stop_requested: threading.Event) -> Iterator[None]:
    """Set the event on SIGINT, SIGTERM and SIGHUP, instead of being interrupted wherever we are.

    Only a flag is set, so that no child is ever started and not yet known when the signal arrives. Main thread only.
    """

    def request_stop(_number: int, _frame: FrameType | None) -> None:
        stop_requested.set()

    before = {number: signal.signal(number, request_stop) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _told(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
