"""Child processes that never outlive us: started tethered to this process, stopped with growing insistence."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from console.errors import ServiceFailed

_PR_SET_PDEATHSIG = 1

# Loaded before any fork: a forked child must not load libraries.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

# Linux sends the death signal when the *thread* that forked ends, so all children are forked by one thread that
# lives as long as the process, whichever thread asked for them.
_forker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="forker")


def start_child(
    command: Sequence[str],
    *,
    log: Path,
    death_signal: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that the kernel ends with `death_signal` when this process dies, however it dies.

    Its output is appended to the file `log`. It leads a session of its own, so a terminal's Ctrl-C reaches it only
    through us. `user` (root only) is the system user it runs as. Away from Linux there is no death signal: a child
    then outlives a kill -9 of its parent. Raises ServiceFailed when the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                start_new_session=True,
                preexec_fn=_tether(death_signal),  # noqa: PLW1509 one system call, its library loaded above
            )

    try:
        return _forker.submit(start).result()
    except OSError as error:
        raise ServiceFailed(f"{command[0]} cannot be started: {error}") from error


def stop_child(
    process: subprocess.Popen[bytes],
    *,
    signals: Sequence[signal.Signals] = (signal.SIGTERM,),
    patience_s: float = 10.0,
) -> int:
    """End a child: each of `signals` in turn with `patience_s` to obey it, then SIGKILL.

    What it left of its process group is killed with it. Returns its exit code (negative: the signal that ended it).
    """
    for number in signals:
        if process.poll() is not None:
            break
        process.send_signal(number)
        try:
            process.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            continue
    kill_child(process)
    return process.wait()


def kill_child(process: subprocess.Popen[bytes]) -> None:
    """Kill a child and its whole process group with SIGKILL, and reap it."""
    with contextlib.suppress(ProcessLookupError):  # nobody of the group is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def log_tail(log: Path, *, lines: int = 15) -> str:
    """Return the last lines of a child's log, or a word when there are none."""
    if not log.exists():
        return "(no log)"
    text = log.read_text(encoding="utf-8", errors="replace").rstrip()
    return "\n".join(text.splitlines()[-lines:]) or "(its log is empty)"


def _tether(death_signal: signal.Signals) -> Callable[[], None] | None:
    libc = _libc
    if libc is None:
        return None
    parent = os.getpid()

    def tether() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, death_signal.value, 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the call above
            os._exit(1)

    return tether
