from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import settings
from psycopg import Connection

from ledger.store.application import Ledger
from tests.services.postgres import Database

# A shared machine may pause for longer than any deadline; what takes too long is stopped by pytest's own timeout.
settings.register_profile("ledger", deadline=None)
settings.load_profile("ledger")


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    with Ledger(url=database.url("wattledger_writer")) as application:
        yield application


@pytest.fixture
def writer(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url("wattledger_writer"), autocommit=True) as connection:
        yield connection
