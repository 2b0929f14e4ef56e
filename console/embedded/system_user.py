"""The system user PostgreSQL runs as when we are root, as it refuses to run as root itself."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

from console.errors import ServiceFailed

SYSTEM_USER = "embedded_postgres"


def postgres_user() -> str | None:
    """Return the user PostgreSQL must run as: None for ourselves, else a system user, made when it is missing."""
    if os.geteuid() != 0:
        return None
    if not _exists(SYSTEM_USER):
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        outcome = subprocess.run(command, check=False, capture_output=True, text=True)
        # Two of us may have tried at once; what counts is that it is there now.
        if not _exists(SYSTEM_USER):
            raise ServiceFailed(f"PostgreSQL cannot run as root, and useradd failed: {outcome.stderr.strip()}")
    return SYSTEM_USER


def open_to(user: str, *, directory: Path, installation: Path) -> None:
    """Give the user a directory of its own, and let it read the PostgreSQL installation."""
    _let_others_pass(directory)
    shutil.chown(directory, user, user)
    _let_others_pass(installation)
    if not (installation / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:  # installed under a strict umask
        for path in (installation, *installation.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _let_others_pass(path: Path) -> None:
    """Let others pass through (not list) the directories above a path, as root's may be closed to them."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)
