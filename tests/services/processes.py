"""Looking at processes from outside, to prove that none is left behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie, dead but not yet reaped, does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ends(pids: Sequence[int], *, timeout_s: float = 15.0) -> bool:
    """Wait until none of the processes is left."""
    deadline = time.monotonic() + timeout_s
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def family(pid: int) -> list[int]:
    """The process and everything it has started."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def killed_parent_of(script: str) -> list[int]:
    """Run a Python script that prints a line once its children are up; kill -9 it; return the children's ids."""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline(), "the script ended before its children were up"
    pids = family(parent.pid)[1:]
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    return pids
