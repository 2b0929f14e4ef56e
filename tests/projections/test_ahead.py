"""Pages of the log are read ahead of those being written: whatever fails, each event is projected once, in order."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import psycopg
import pytest
from psycopg import Connection, Cursor

from ledger.store.log import Logged, head_of
from projections.ahead import ReadAhead
from projections.catalogue import MODELS
from projections.model import ReadModel
from projections.process import connect
from projections.project import project_next, tracked
from projections.rebuild import rebuild
from projections.runner import Runner
from tests.projections.builders import Story, a_busy_month, topped_up
from tests.projections.conftest import Project
from tests.services.postgres import Database


@pytest.fixture
def reading(database: Database) -> Callable[[], Connection[Any]]:
    return lambda: connect(database.url("wattledger_projector"), name="test reading")


@pytest.fixture
def ahead(reading: Callable[[], Connection[Any]]) -> Iterator[ReadAhead]:
    reader = ReadAhead(reading)
    yield reader
    reader.close()


def equals_a_rebuild(database: Database) -> bool:
    return all(rebuild(database.url("wattledger_projector"), model.name).is_equal for model in MODELS)


def run_out(runner: Runner, connection: Connection[Any]) -> None:
    """As the process does it: begin, take turns until there is nothing more, or one fails, end."""
    runner.begin(connection)
    try:
        while runner.turn(connection):
            pass
    finally:
        runner.end()


class DiesOnce:
    """A read model's way of projecting that fails the second time it is asked, once its rows are written."""

    def __init__(self, model: ReadModel) -> None:
        self._project = model.project
        self.asked = 0

    def __call__(self, cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
        self._project(cursor, events, schema)
        self.asked += 1
        if self.asked == 2:
            raise psycopg.OperationalError("the server went away")


def test_a_runner_that_fails_at_every_step_in_turn_neither_skips_nor_doubles(
    database: Database, story: Story, projector: Connection[Any]
) -> None:
    facts = a_busy_month()
    story.tell_each(facts)
    models = [ReadModel(m.name, m.tables, DiesOnce(m), m.passes_over_usage) for m in MODELS]
    failures = 0
    while set(tracked(projector).values()) != {len(facts)}:
        runner = Runner(models=models, limit=5)
        try:
            run_out(runner, projector)
        except psycopg.OperationalError:
            failures += 1
    assert failures == len(MODELS)
    assert equals_a_rebuild(database)


def test_a_reader_that_loses_its_connection_costs_a_turn_and_no_event(
    database: Database, story: Story, projector: Connection[Any], reading: Callable[[], Connection[Any]]
) -> None:
    facts = a_busy_month()
    story.tell_each(facts)
    attempts: list[Connection[Any]] = []

    def connects_the_second_time() -> Connection[Any]:
        connection = reading()
        attempts.append(connection)
        if len(attempts) == 1:
            connection.close()
        return connection

    ahead = ReadAhead(connects_the_second_time)
    failures = 0
    while set(tracked(projector).values()) != {len(facts)}:
        try:
            project_next(projector, models=MODELS, limit=5, ahead=ahead)
        except psycopg.OperationalError:
            failures += 1
    ahead.close()
    assert (failures, len(attempts)) == (1, 2)
    assert equals_a_rebuild(database)


def test_what_was_read_ahead_is_dropped_where_another_moved_the_read_models(
    database: Database, story: Story, projector: Connection[Any], project: Project, ahead: ReadAhead
) -> None:
    story.tell_each(a_busy_month())
    project_next(projector, models=MODELS, limit=5, ahead=ahead)
    project_next(projector, models=MODELS, limit=3)
    batch = project_next(projector, models=MODELS, limit=4, ahead=ahead)
    assert batch is not None
    assert [event.position for event in batch.events] == [9, 10, 11, 12]
    project()
    assert equals_a_rebuild(database)


def test_what_was_read_before_there_was_anything_is_read_again(
    story: Story, projector: Connection[Any], ahead: ReadAhead
) -> None:
    head = story.tell(topped_up(account="anna", amount_micros=1))
    assert project_next(projector, models=MODELS, limit=1, ahead=ahead) is not None
    assert ahead.take(after=head) is None
    ahead.start(after=head, limit=1)
    story.tell(topped_up(account="anna", amount_micros=1))
    while project_next(projector, models=MODELS, limit=1, ahead=ahead):
        pass
    assert set(tracked(projector).values()) == {head_of(projector)[0]}


def test_a_read_model_that_joined_late_is_fed_no_further_than_the_others_are(
    story: Story, projector: Connection[Any], ahead: ReadAhead
) -> None:
    story.tell_each(a_busy_month())
    project_next(projector, models=MODELS, limit=12, ahead=ahead)
    projector.execute("DELETE FROM projections.balances")
    projector.execute("UPDATE projections.tracking SET position = 0 WHERE name = 'balances'")
    seen = []
    for _ in range(4):
        batch = project_next(projector, models=MODELS, limit=5, ahead=ahead)
        assert batch is not None
        seen.append((len(batch.models), len(batch.events), batch.events[-1].position))
    assert seen == [(1, 5, 5), (1, 5, 10), (1, 2, 12), (len(MODELS), 12, 24)]
