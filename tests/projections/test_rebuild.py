import threading
from typing import Any

import psycopg
import pytest
import typer
from psycopg import Connection
from typer.testing import CliRunner

from console.commands import projections as commands
from ledger.values.errors import NotFound
from projections.catalogue import MODELS
from projections.errors import DatabaseFailed
from projections.process import keep_working
from projections.project import project_next, tracked
from projections.rebuild import rebuild
from projections.runner import Runner, work_of
from tests.projections.builders import Story, a_busy_month, topped_up
from tests.projections.conftest import Project
from tests.services.postgres import Database

NAMES = [model.name for model in MODELS]


@pytest.fixture
def url(database: Database) -> str:
    return database.url("wattledger_projector")


@pytest.mark.parametrize("name", NAMES)
def test_a_rebuilt_read_model_equals_the_live_one_at_the_same_position(
    story: Story, projector: Connection[Any], url: str, name: str
) -> None:
    facts = a_busy_month()
    story.tell_each(facts)
    for position in (0, 10, 20, len(facts)):
        while tracked(projector)[name] < position:
            assert project_next(projector, models=MODELS, limit=10)
        reached = tracked(projector)[name]
        rebuilt = rebuild(url, name, batch=7)
        assert rebuilt.is_equal
        assert (rebuilt.position, rebuilt.events) == (reached, reached)
        assert tracked(projector)[name] == reached


@pytest.mark.parametrize("name", NAMES)
def test_a_read_model_that_was_tampered_with_is_told_apart_and_put_right(
    story: Story, projector: Connection[Any], project: Project, url: str, name: str
) -> None:
    story.tell_each(a_busy_month())
    project()
    (model,) = (model for model in MODELS if model.name == name)
    right = model.digest(projector)
    table = model.tables[0]
    projector.execute(
        f"DELETE FROM projections.{table.name} WHERE ctid = (SELECT min(ctid) FROM projections.{table.name})".encode()
    )
    rebuilt = rebuild(url, name)
    assert not rebuilt.is_equal
    assert rebuilt.digest == right == model.digest(projector)
    assert rebuild(url, name).is_equal


def test_a_rebuild_beside_a_busy_runner_equals_what_it_replaces(
    story: Story, url: str, projector: Connection[Any]
) -> None:
    story.tell_each(a_busy_month())
    stop = threading.Event()
    runner = threading.Thread(
        target=keep_working, args=(work_of(Runner(limit=5)),), kwargs={"url": url, "stop": stop}, daemon=True
    )
    runner.start()
    written = threading.Event()

    def write() -> None:
        for _ in range(60):
            story.tell(topped_up(account="household-1", amount_micros=1))
        written.set()

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    rebuilt = []
    while not written.is_set():
        rebuilt += [rebuild(url, name, batch=20) for name in ("balances", "journal", "relay")]
    writer.join(30)
    stop.set()
    runner.join(10)
    assert rebuilt
    assert [row.name for row in rebuilt if not row.is_equal] == []
    # It was no standstill: rebuilds ended at several positions.
    assert len({row.position for row in rebuilt}) > 1
    while project_next(projector, models=MODELS, limit=100):
        pass
    assert all(rebuild(url, name).is_equal for name in NAMES)


def test_a_name_that_no_read_model_has_is_refused_with_those_there_are(url: str) -> None:
    names = "agents, balances, books, conditions, habits, held, journal, links, proposals, receipts, relay, sites"
    with pytest.raises(NotFound, match=rf"'balance'.*{names}"):
        rebuild(url, "balance")


@pytest.fixture
def command(url: str, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    commands.register(app)
    # With one group only, typer would leave its name out.
    app.command("nothing")(lambda: None)
    return app


def test_the_command_rebuilds_and_says_that_nothing_was_different(
    story: Story, project: Project, command: typer.Typer
) -> None:
    story.tell_each(a_busy_month())
    project()
    outcome = CliRunner().invoke(command, ["projections", "rebuild", "balances"])
    assert outcome.exit_code == 0, outcome.output
    assert "equal to the live projection" in outcome.output


def test_the_command_exits_with_1_when_the_live_projection_was_different(
    story: Story, projector: Connection[Any], project: Project, command: typer.Typer
) -> None:
    story.tell_each(a_busy_month())
    project()
    projector.execute("UPDATE projections.balances SET balance = 1000000")
    outcome = CliRunner().invoke(command, ["projections", "rebuild", "balances"])
    assert outcome.exit_code == 1
    assert "the live projection was different" in outcome.output


def test_the_command_prints_digests_with_their_positions(
    story: Story, projector: Connection[Any], project: Project, command: typer.Typer
) -> None:
    head = story.tell(topped_up(account="anna", amount_micros=1))
    project()
    outcome = CliRunner().invoke(command, ["projections", "digest"])
    expected = [f"{model.name} {head} {model.digest(projector)}" for model in MODELS]
    assert outcome.output.splitlines() == expected
    alone = CliRunner().invoke(command, ["projections", "digest", "journal"])
    assert alone.output.splitlines() == [line for line in expected if line.startswith("journal ")]


def test_the_command_lists_positions_and_lags(story: Story, project: Project, command: typer.Typer) -> None:
    story.tell(topped_up(account="anna", amount_micros=1))
    project()
    story.tell(*(topped_up(account="anna", amount_micros=1) for _ in range(77)))
    outcome = CliRunner().invoke(command, ["projections", "list"])
    lines = [line for line in outcome.output.splitlines() if "journal_daily" in line]
    assert len(lines) == 1
    assert [word for word in lines[0].split() if word.isdigit()] == ["1", "77"]


def test_a_database_that_refuses_is_told_without_a_traceback(
    database: Database, command: typer.Typer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_finance"))
    outcome = CliRunner().invoke(command, ["projections", "rebuild", "balances"])
    assert isinstance(outcome.exception, DatabaseFailed)
    assert isinstance(outcome.exception.__cause__, psycopg.errors.InsufficientPrivilege)
