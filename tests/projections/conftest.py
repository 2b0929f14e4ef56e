from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import Connection

from projections.catalogue import MODELS
from projections.process import connect
from projections.project import project_next, register
from tests.projections.builders import Story
from tests.projections.estate import Estate
from tests.services.postgres import Database

Project = Callable[..., int]


@pytest.fixture
def story(database: Database) -> Story:
    return Story(database.url("wattledger_writer"))


@pytest.fixture
def projector(database: Database) -> Iterator[Connection[Any]]:
    with connect(database.url("wattledger_projector"), name="test") as connection:
        register(connection, models=MODELS)
        yield connection


@pytest.fixture
def finance(database: Database) -> Iterator[Connection[Any]]:
    with connect(database.url("wattledger_finance"), name="test") as connection:
        yield connection


@pytest.fixture
def writer(database: Database) -> Iterator[Connection[Any]]:
    with connect(database.url("wattledger_writer"), name="test") as connection:
        yield connection


@pytest.fixture
def project(projector: Connection[Any]) -> Project:
    """Projects all that there is, in batches of a size, and tells how many batches that took."""

    def project_all(*, limit: int = 1_000) -> int:
        batches = 0
        while project_next(projector, models=MODELS, limit=limit):
            batches += 1
        return batches

    return project_all


@pytest.fixture
def estate(database: Database, story: Story) -> Iterator[Estate]:
    with connect(database.url("wattledger_control"), name="test") as connection:
        yield Estate(story, connection)
