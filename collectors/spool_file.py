"""Opening the spool whatever its state: a damaged file is set aside, reported, and a new one is begun.

A new file has a new epoch, so the ledger sees another collector and takes its sweeps from 1 on; the registers are
cumulative, so its first sweep bills what the lost ones would have said. What relay orders were obeyed is lost with
the file: orders signed before the new one was begun are refused, and the ledger signs anew.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from collectors.errors import SpoolError, SpoolUnusable
from collectors.spool import Spool

log = structlog.get_logger(__name__)

# Evidence for whoever looks into it, and no more: it lies on the same small disk.
_KEPT_ASIDE = 3
_PARTS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A spool that can be used, and where the file lies that could not."""

    spool: Spool
    set_aside: Path | None


def opened(path: Path) -> Opened:
    """Open a spool, setting a damaged file aside; raises SpoolError for what a new file would not mend."""
    try:
        return Opened(spool=Spool(path), set_aside=None)
    except SpoolUnusable as error:
        aside = set_aside(path, reason=str(error))
    return Opened(spool=Spool(path), set_aside=aside)


def set_aside(path: Path, *, reason: str) -> Path:
    """Move a spool's files out of the way and return where to; the oldest of too many are deleted.

    Raises SpoolError where they cannot be moved.
    """
    aside = path.with_name(f"{path.name}.set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    try:
        for part in _PARTS:
            with suppress(FileNotFoundError):
                path.with_name(path.name + part).rename(aside.with_name(aside.name + part))
    except OSError as error:
        raise SpoolError(f"spool {path} is damaged and cannot be moved aside: {error}; move it by hand") from None
    log.error("spool set aside", path=str(path), now_at=str(aside), reason=reason)
    olds = sorted(old for old in path.parent.glob(f"{path.name}.set-aside-*") if not old.name.endswith(_PARTS[1:]))
    for old in olds[:-_KEPT_ASIDE]:
        for part in _PARTS:
            old.with_name(old.name + part).unlink(missing_ok=True)
    return aside
