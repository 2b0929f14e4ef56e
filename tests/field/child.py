"""The collector as a process that starts in milliseconds: forked from one that has everything imported."""

import asyncio
import multiprocessing
import os
import resource
import subprocess
import sys
import traceback
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import msgspec

from collectors import poll
from collectors.logs import configure_logs
from collectors.process import collect
from collectors.sendable import message_of
from collectors.settings import CollectorSettings
from ledger import wire

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.field.child"])
# Enough for what is open already to be closed, and not for another page.
_NO_ROOM = 0


@dataclass(frozen=True, slots=True)
class LoadProfile:
    """An interval meter on a concentrator: sweep n brings the n-th second after `begins`, so none may be lost."""

    concentrator: str
    serial: str
    begins: datetime

    def interval(self, number: int) -> wire.Reading:
        """Return the n-th interval."""
        start = self.begins + timedelta(seconds=number)
        return wire.Reading(
            interval=wire.IntervalReading(
                meter=self.serial,
                start=start,
                end=start + timedelta(seconds=1),
                import_milliwh=self.used_milliwh(number),
                profile="nem12",
            )
        )

    @staticmethod
    def used_milliwh(number: int) -> int:
        """Return the energy of the n-th interval, no two alike."""
        return number * number * 7 + number

    def total_milliwh(self, through: int) -> int:
        """Return the energy of the intervals of so many sweeps."""
        return sum(map(self.used_milliwh, range(1, through + 1)))

    def added(self, sweep: wire.Sweep) -> bytes:
        """Return a sweep's message, its interval with it."""
        if sweep.concentrator == self.concentrator:
            sweep = msgspec.structs.replace(sweep, readings=[*sweep.readings, self.interval(sweep.sequence)])
        return message_of(sweep)


def started(settings: CollectorSettings, *, log: Path, load_profile: LoadProfile) -> ForkServerProcess:
    """Start a collector; it reads one interval with every sweep of a concentrator."""
    process = _context.Process(target=_run, args=(settings, log, load_profile), daemon=True)
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


def _run(settings: CollectorSettings, log: Path, load_profile: LoadProfile) -> None:
    poll.message_of = load_profile.added  # type: ignore[attr-defined]
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
