"""A short directory that other system users can reach: pytest's own are long and closed (PostgreSQL is not root).

In memory where there is plenty: a thousand databases are cloned and dropped in a run, and none outlives it.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = Path("/dev/shm")
_PLENTY_BYTES = 6 << 30


@pytest.fixture(scope="session")
def service_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="wattledger-test-", dir=_MEMORY if _has_plenty() else None))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def _has_plenty() -> bool:
    return _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free >= _PLENTY_BYTES
