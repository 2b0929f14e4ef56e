"""Credit as people ask for it, and as the read models know it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.domain.credit.policy import CreditPolicy, DebtTerms, EmergencyCredit
from ledger.domain.credit.policy_file import WrongPolicy
from ledger.store.application import Ledger
from ledger.usecases.accounts import open_account
from ledger.usecases.credit.commands import AgreeDebt, TakeEmergencyCredit
from ledger.usecases.credit.daily import collect_instalment
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.credit.standing import account_credit
from ledger.usecases.sites import change_site_settings
from projections.checkpoint import checkpoint
from projections.conditions import conditions
from projections.habits import MODEL, habits_of
from projections.rebuild import rebuild
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, micros
from tests.projections.builders import START, Story, usage_debited
from tests.projections.conftest import Project
from tests.services.postgres import Database

Run = Callable[..., Any]
HOUR = timedelta(hours=1)
POLICY = CreditPolicy(
    emergency=EmergencyCredit(limit_micros=micros(10), offered_below_micros=micros(5)),
    debt=DebtTerms(per_day_micros=micros(1), top_up_basis_points=2_500, week_cap_micros=micros(8)),
)


@pytest.fixture
def till(database: Database) -> Any:
    with Ledger(url=database.url("wattledger_writer"), checkpoint=checkpoint) as ledger:
        change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
        open_account(ledger, account="a-1", site="north", currency="CNY", now=MOVED_IN)
        yield Till(ledger)


@pytest.fixture
def run(database: Database, project: Project, monkeypatch: pytest.MonkeyPatch, till: Till) -> Run:
    """Runs a command on a ledger with an account, all of it projected before."""
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("WATTLEDGER_OPERATOR", "li")
    app = make_app()

    def invoke(*arguments: str) -> Any:
        project()
        outcome = CliRunner().invoke(app, list(arguments))
        project()
        return outcome

    return invoke


def test_the_read_models_and_the_ledger_know_the_same_figures(
    till: Till, project: Project, projector: Connection[Any]
) -> None:
    set_credit_policy(till.ledger, site="north", policy=POLICY, effective_from=MOVED_IN, operator="li", now=MOVED_IN)
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(100), source="brought-forward"))
    steps: list[Callable[[], object]] = [
        lambda: till.tops_up("a-1", 4),
        lambda: collect_instalment(till.ledger, account="a-1", now=MOVED_IN),
        lambda: till.orders(TakeEmergencyCredit(account="a-1")),
        lambda: till.uses("a-1", 9),
        lambda: till.tops_up("a-1", 5),
        lambda: till.tops_up("a-1", 20),
    ]
    for step in steps:
        step()
        project()
        figures = account_credit(till.ledger, account="a-1", now=MOVED_IN).figures
        found = conditions(projector, accounts=["a-1"])["a-1"]
        assert found.figures(figures.balance_micros) == figures
    assert figures.emergency_limit_micros == 0


def test_a_policy_is_set_from_its_file_and_the_account_shown_by_it(run: Run, till: Till, tmp_path: Path) -> None:
    file = tmp_path / "north.toml"
    file.write_text('zone = "Asia/Shanghai"\n[emergency]\nlimit = "10.00"\noffered_below = "5.00"\n')
    assert "is good" in run("credit", "policy", "check", str(file)).output
    assert "credit policy of the site: set from" in run("credit", "policy", "set", "north", str(file)).output
    assert 'offered_below = "5.00"' in run("credit", "policy", "show", "north").output
    assert "10.00 CNY offered" in run("credit", "show", "a-1").output
    assert "booked" in run("credit", "take-emergency", "a-1").output
    told = run("credit", "show", "a-1").output
    assert "taken, 0.00 of 10.00 CNY used" in told
    assert "needed to be back on:   0.00 CNY" in told
    assert "runs out:               not known" in told
    assert "policy of the site: set from" in run("credit", "policy", "withdraw", "north").output
    assert "# withdrawn" in run("credit", "policy", "show", "north").output


def test_a_policy_file_with_errors_is_told_and_sets_nothing(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "north.toml"
    file.write_text('zone = "Nowhere"\ncut_at = 5\n')
    outcome = run("credit", "policy", "set", "north", str(file))
    assert isinstance(outcome.exception, WrongPolicy)
    assert len(outcome.exception.errors) == 2
    assert "none was set" in run("credit", "policy", "show", "north").output


def test_the_day_s_work_is_done_once(run: Run, till: Till) -> None:
    now = datetime.now(UTC)
    set_credit_policy(till.ledger, site="north", policy=POLICY, effective_from=MOVED_IN, operator="li", now=now)
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(100), source="brought-forward"))
    till.tops_up("a-1", 20)
    assert "1 instalments collected" in run("credit", "daily", "north").output
    assert "0 instalments collected" in run("credit", "daily", "north").output


def test_a_top_up_that_is_not_enough_says_what_is_still_needed(run: Run, till: Till) -> None:
    till.uses("a-1", 30)
    told = run("top-up", "a-1", "20").output
    assert "went to the line at which supply is cut 20.00" in told
    assert "needed to be back on: 10.01 CNY more" in told
    assert "needed" not in run("top-up", "a-1", "10.01").output


def test_a_payer_pays_for_all_of_their_accounts(run: Run) -> None:
    run("payer", "set", "office", "a-1")
    assert "20.00 for 1 accounts booked" in run("payer", "top-up", "office", "--each", "20").output


def test_habits_are_the_same_in_batches_of_any_size(
    story: Story, project: Project, projector: Connection[Any], database: Database
) -> None:
    facts = [
        usage_debited(
            supply="s", account=f"a-{number % 2}", amount_micros=number * 997, at=START + number * 11 * HOUR / 4
        )
        for number in range(400)
    ]
    story.tell_each(facts)
    project(limit=7)
    before = habits_of(projector, ["a-0", "a-1"])
    assert len(before["a-0"]) > 100
    rebuilt = rebuild(database.url("wattledger_projector"), MODEL.name, batch=100)
    assert rebuilt.is_equal
    assert habits_of(projector, ["a-0", "a-1"]) == before
