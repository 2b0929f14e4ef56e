"""The collector as a process that starts in milliseconds: forked from one that has everything imported."""

import asyncio
import multiprocessing
import os
import resource
import subprocess
import sys
import traceback
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from collectors.logs import configure_logs
from collectors.process import collect
from collectors.settings import CollectorSettings

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.field.child"])
# Enough for what is open already to be closed, and not for another page.
_NO_ROOM = 0


def started(settings: CollectorSettings, *, log: Path) -> ForkServerProcess:
    """Start a collector."""
    process = _context.Process(target=_run, args=(settings, log), daemon=True)
    process.start()
    return process


def fill_disk(process: ForkServerProcess) -> None:
    """From now on every write to a file of this process fails, as on a disk without room."""
    assert process.pid is not None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (_NO_ROOM, resource.RLIM_INFINITY))


def free_disk(process: ForkServerProcess) -> None:
    """Writes succeed again."""
    assert process.pid is not None
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _run(settings: CollectorSettings, log: Path) -> None:
    # Its log is a pipe's end, not a file: a full disk must not silence it.
    with subprocess.Popen(["/bin/sh", "-c", 'exec cat >> "$0"', str(log)], stdin=subprocess.PIPE) as said:
        assert said.stdin is not None
        for stream in (1, 2):
            os.dup2(said.stdin.fileno(), stream)
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - for as long as the process lives
        configure_logs()
        try:
            asyncio.run(collect(settings))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
