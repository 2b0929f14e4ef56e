"""A short directory that other system users can reach: pytest's own are long and closed (PostgreSQL is not root)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def service_directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="wattledger-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)
