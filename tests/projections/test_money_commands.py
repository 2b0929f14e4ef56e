"""The counter's and finance's commands on a real ledger: amounts are told as booked, with their currency."""

from collections.abc import Callable
from typing import Any

import pytest
import typer
from psycopg import Connection
from typer.testing import CliRunner

from console.commands import money
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.usecases.accounts import open_account
from ledger.values.errors import InvalidValue, NotFound
from projections.queries import BeyondTheHead
from tests.ledger.builders import MOVED_IN
from tests.projections.conftest import Project
from tests.services.postgres import Database

Run = Callable[..., Any]


@pytest.fixture
def run(database: Database, project: Project, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against a ledger with an account in Australian dollars, all of it projected."""
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("COLUMNS", "200")
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        open_account(ledger, account="a-1", site="north", currency="AUD", now=MOVED_IN)
    app = typer.Typer()
    money.register(app)

    def invoke(*arguments: str) -> Any:
        project()
        return CliRunner().invoke(app, list(arguments))

    return invoke


@pytest.mark.parametrize(
    ("amount", "told"), [("25", "25.00 AUD"), ("007.5", "7.50 AUD"), ("0.000001", "0.000001 AUD")]
)
def test_a_top_up_tells_what_was_booked(run: Run, amount: str, told: str) -> None:
    went = f"  went to balance {told.removesuffix(' AUD')}\n"
    assert run("top-up", "a-1", amount, "--key", "k").output == f"a-1: {told} booked (position 2, key k)\n{went}"
    again = run("top-up", "a-1", amount, "--key", "k").output
    assert again == f"a-1: {told} was booked before, nothing changed (position 2, key k)\n{went}"


def test_each_top_up_without_a_key_has_a_key_of_its_own(run: Run) -> None:
    assert "(position 2, key" in run("top-up", "a-1", "5").output
    assert "(position 3, key" in run("top-up", "a-1", "5").output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a-1", "5", "--key", ""], "idempotency key ''"),
        (["a-1", "-5"], "amount -5.00 is not positive"),
        (["a-1", "-5.25"], "amount -5.25 is not positive"),
        (["a-1", "0"], "amount 0.00 is not positive"),
        (["a-1", "1_000"], "amount '1_000' is not a number"),
        (["a-1", "١٢"], "is not a number"),
        (["a-1", " 5"], "amount ' 5' is not a number"),
        (["a-1", "--kye"], "amount '--kye' is not a number"),
    ],
)
def test_a_top_up_that_makes_no_sense_is_refused(
    run: Run, finance: Connection[Any], arguments: list[str], told: str
) -> None:
    outcome = run("top-up", *arguments)
    assert isinstance(outcome.exception, InvalidValue)
    assert told in str(outcome.exception)
    assert head_of(finance)[0] == 1


def test_an_option_that_is_none_books_nothing(run: Run, finance: Connection[Any]) -> None:
    assert run("top-up", "a-1", "5", "--kye", "k").exit_code == 2
    assert isinstance(run("top-up", "a-2", "5").exception, NotFound)
    assert head_of(finance)[0] == 1


def test_balances_and_the_trial_balance_tell_their_currency(run: Run) -> None:
    run("top-up", "a-1", "5")
    (line,) = (line for line in run("balances").output.splitlines() if "a-1" in line)
    assert "5.000000" in line
    assert "AUD" in line
    newest, first = run("trial-balance").output, run("trial-balance", "--at", "1").output
    assert "Trial balance at position 2" in newest
    assert "Trial balance at position 1" in first
    assert "amount in AUD" in newest
    assert "amount in AUD" in first


def test_a_trial_balance_beyond_the_head_is_refused(run: Run) -> None:
    outcome = run("trial-balance", "--at", "2")
    assert isinstance(outcome.exception, BeyondTheHead)
    assert "position 2 is beyond the ledger's head, 1" in str(outcome.exception)
