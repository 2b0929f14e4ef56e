"""A ledger and a writer's connection; and how many examples a property gets.

A hundred, or with WATTLEDGER_HYPOTHESIS=long a thousand and more.
"""

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import Connection

from ledger.store.application import Ledger
from tests.services.postgres import Database

# A shared machine may pause for longer than any deadline; what takes too long is stopped by pytest's own timeout.
settings.register_profile("ledger", max_examples=100, deadline=None)
settings.register_profile("long", max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("long" if os.environ.get("WATTLEDGER_HYPOTHESIS") == "long" else "ledger")


@pytest.fixture
def ledger(database: Database) -> Iterator[Ledger]:
    with Ledger(url=database.url("wattledger_writer")) as application:
        yield application


@pytest.fixture
def writer(database: Database) -> Iterator[Connection[Any]]:
    with psycopg.connect(database.url("wattledger_writer"), autocommit=True) as connection:
        yield connection
