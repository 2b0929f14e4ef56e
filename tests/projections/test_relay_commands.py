"""The operators' commands for relays and holds on a real ledger."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from console.commands import readings, relays
from ledger.values.errors import Refused
from tests.projections.builders import Story, concluded, reading_held, settings_changed, topped_up
from tests.projections.conftest import Project
from tests.projections.estate import Estate
from tests.services.postgres import Database

Run = Callable[..., Any]


@pytest.fixture
def run(database: Database, estate: Estate, project: Project, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command, then control and the projections until nothing is left to do."""
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str) -> Any:
        outcome = CliRunner().invoke(relays_app(), list(arguments))
        for _ in range(2):
            project()
            estate.decide()
        return outcome

    return invoke


def line_of(run: Run, command: str, supply: str = "flat-1") -> str:
    (line,) = (line for line in run(command).output.splitlines() if supply in line)
    return str(line)


def test_an_operator_locks_and_unlocks_and_sees_it(story: Story, estate: Estate, run: Run) -> None:
    story.tell(settings_changed())
    story.move_in("flat-1", "anna", credit_micros=90_000_000)
    assert "flat-1: locked off for works" in run("lock", "flat-1", "--reason", "works").output
    line = line_of(run, "relays")
    assert "operator" in line
    assert "2 under way" in line
    assert isinstance(run("lock", "flat-1", "--reason", "works").exception, Refused)
    assert "flat-1: unlocked" in run("unlock", "flat-1", "--operator", "op-7").output
    assert estate.order("flat-1").action == "close"
    assert [getattr(fact, "operator", "") for fact in estate.history("flat-1")] == ["console", "", "op-7", ""]


def test_many_are_locked_with_a_result_for_each_and_what_their_relays_were_read_back_to_be(
    story: Story, estate: Estate, project: Project, run: Run
) -> None:
    story.tell(settings_changed())
    for flat in ("flat-1", "flat-2"):
        story.move_in(flat, f"of-{flat}", credit_micros=90_000_000)
    project()
    unanswered = run("lock", "flat-1", "--reason", "works", "--wait", "0.01")
    assert unanswered.exit_code == 1
    assert "flat-1: no order was answered within 0.01 s, read back closed" in unanswered.output

    def answers() -> None:
        """What control and the edge do meanwhile."""
        while estate.relay("flat-2").order is None:
            project()
            estate.decide()
        story.tell(concluded(estate.order("flat-2"), "confirmed", at=estate.now))
        project()

    edge = threading.Thread(target=answers)
    edge.start()
    done = CliRunner().invoke(relays_app(), ["lock", "flat-1", "flat-2", "--reason", "works", "--wait", "20"])
    edge.join()
    assert done.exit_code == 1
    assert "flat-1: refused: supply point 'flat-1' is locked by an operator already" in done.output
    assert "flat-2: order 2 confirmed, read back open" in done.output


def relays_app() -> typer.Typer:
    app = typer.Typer()
    relays.register(app)
    readings.register(app)
    return app


def test_a_reason_is_asked_for(run: Run) -> None:
    assert run("lock", "flat-1").exit_code == 2


def test_a_consumers_consent_brings_the_power_back(story: Story, estate: Estate, run: Run) -> None:
    story.used_up("flat-1", "anna")
    story.tell(settings_changed(reconnection="confirm"))
    run("relays")
    assert isinstance(run("consent", "flat-1").exception, Refused)
    story.tell(concluded(estate.order("flat-1"), "confirmed", at=estate.now))
    story.tell(topped_up(account="anna", amount_micros=30_000_000))
    run("relays")
    # The test's clock stands in the past; consents are dated by today's, and so is this control from here on.
    estate.now = estate.control.host_now()
    assert "flat-1: consent taken" in run("consent", "flat-1", "--channel", "app").output
    assert estate.order("flat-1").reason == "consented"


def test_a_relay_that_was_never_switched_is_as_it_was_installed(story: Story, estate: Estate, run: Run) -> None:
    story.tell(settings_changed())
    story.move_in("flat-1", "anna", credit_micros=90_000_000)
    run("held")
    assert "closed (as installed)" in line_of(run, "relays")
    run("lock", "flat-1", "--reason", "works")
    assert "as installed" not in line_of(run, "relays")


def test_open_holds_are_shown_with_what_they_claim(story: Story, run: Run) -> None:
    story.tell(reading_held(supply="flat-1", claimed_milliwh=7_250_000))
    run("relays")
    line = line_of(run, "held")
    for told in ("meter-of-flat-1", "backwards", "2026-07-01 06:00:00+00:00", "7.250000"):
        assert told in line
    assert "reading-held" in line_of(run, "worklist")
