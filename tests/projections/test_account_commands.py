"""The commands on accounts as operators give them: told in words, linked both ways, proposed where it takes two."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection
from typer.testing import CliRunner

from console.cli import make_app
from ledger.store.application import Ledger
from ledger.store.log import head_of, read_log
from ledger.usecases.accounts import open_account
from projections.checkpoint import checkpoint
from projections.conditions import conditions
from projections.queries import balances
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till
from tests.projections.conftest import Project
from tests.services.postgres import Database

Run = Callable[..., Any]
BY = ("--operator", "li", "--reason", "test")


@pytest.fixture
def run(database: Database, project: Project, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against a ledger with two accounts, all of it projected before and after."""
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database.url("wattledger_writer"))
    monkeypatch.setenv("WATTLEDGER_PEOPLE_DATABASE_URL", database.url("wattledger_people"))
    monkeypatch.setenv("COLUMNS", "200")
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        for account in ("a-1", "a-2"):
            open_account(ledger, account=account, site="north", currency="CNY", now=MOVED_IN)
    app = make_app()

    def invoke(*arguments: str, **words: Any) -> Any:
        project()
        outcome = CliRunner().invoke(app, list(arguments), **words)
        project()
        return outcome

    return invoke


def test_a_reversal_is_found_from_the_top_up_and_the_other_way(run: Run) -> None:
    run("top-up", "a-1", "50", "--key", "k")
    assert run("account", "reverse", "3", *BY, "--key", "r").output == "reverse: booked (position 4, key r)\n"
    told = "position 4, account.top-up-reversed, names position 3\n"
    assert run("account", "links", "3").output == told == run("account", "links", "4").output
    assert "reversed already, by the event at position 4" in str(run("account", "reverse", "3", *BY).exception)
    again = run("account", "reverse", "3", *BY, "--key", "r").output
    assert again == "reverse: was booked before, nothing changed (position 4, key r)\n"


def test_a_transfer_is_linked_from_both_accounts(run: Run, finance: Connection[Any]) -> None:
    run("top-up", "a-1", "50")
    run("account", "transfer", "3", "a-2", *BY)
    assert len(run("account", "links", "3").output.splitlines()) == 2
    told = [(row.account, int(row.balance), row.top_ups) for row in balances(finance)]
    assert told == [
        ("a-1", 0, 0),
        ("a-2", 50, 1),
    ]


def test_what_is_too_much_for_one_is_proposed_listed_and_approved(run: Run, finance: Connection[Any]) -> None:
    run("top-up", "a-1", "1000")
    refund = ("account", "refund", "a-1", "600", "--channel", "bank", *BY, "--key", "r")
    told = run(*refund).output
    assert "600.00 is above 500.00" in told
    proposal = told.partition("proposed as ")[2].partition(" ")[0]
    assert f"wattledger proposals approve {proposal} --operator" in told
    assert proposal in run("proposals", "list").output
    assert "amount 600.00" in run("proposals", "list").output
    assert proposal in run("worklist", "--kind", "proposal").output
    assert "cannot approve what they proposed" in str(
        run("proposals", "approve", proposal, "--operator", "li").exception
    )
    approved = run("proposals", "approve", proposal, "--operator", "wang").output
    assert "approved and carried out (position 6)" in approved
    assert "is approved by wang" in run(*refund).output
    assert run("proposals", "list").output == "no proposal waits for a decision\n"
    assert "0 items" in run("worklist").output
    assert "approved by wang" in run("proposals", "list", "--all").output
    assert balances(finance)[0].balance == 400


def test_what_another_approved_already_is_done_in_one_go(run: Run) -> None:
    run("top-up", "a-1", "1000")
    outcome = run("account", "refund", "a-1", "600", "--channel", "bank", *BY, "--approved-by", "wang")
    assert "refund: booked (position 4" in outcome.output


def test_a_receipt_waits_on_the_worklist_until_it_is_placed_or_returned(run: Run) -> None:
    for code in ("r-1", "r-2"):
        assert f"{code}: kept (position" in run("receipts", "keep", code, "25", "--operator", "li").output
    listed = run("receipts", "list").output
    assert "r-1" in listed
    assert "25.00" in listed
    assert run("worklist", "--kind", "unidentified-receipt").output.count("25.00 came in, nobody knows for whom") == 2
    assert "r-1: credited to a-1" in run("receipts", "identify", "r-1", "a-1", "--operator", "li").output
    assert "r-2: returned" in run("receipts", "return", "r-2", "--operator", "li").output
    assert run("receipts", "list").output == "no receipt waits\n"
    assert "unidentified-receipt" not in run("worklist").output
    every = run("receipts", "list", "--all").output
    assert "identified" in every
    assert "returned" in every


def test_an_agent_is_registered_sells_settles_and_is_told_in_figures(run: Run) -> None:
    by = ("--operator", "li")
    terms = ("--currency", "CNY", "--float-limit", "100", "--commission", "1.5", "--commission-fixed", "0.10")
    assert "lobby: registered" in run("agents", "register", "lobby", *terms, *by).output
    run("top-up", "a-1", "50", "--agent", "lobby")
    over = str(run("top-up", "a-1", "60", "--agent", "lobby").exception)
    assert "deposit 8.15 or more first" in over
    assert "lobby: deposited" in run("agents", "deposit", "lobby", "40", "--key", "d", *by).output
    again = run("agents", "deposit", "lobby", "40", "--key", "d", *by).output
    assert "nothing changed" in again
    assert "holds 9.15" in again
    listed = run("agents", "list").output
    assert "1.5% + 0.10" in listed
    assert all(figure in listed for figure in ("50.00", "0.85", "40.00", "9.15", "100.00"))
    told = run("agents", "entries", "lobby").output
    assert "lobby-000001" in told
    assert "1 sales 50.00, 0 undone 0.00, commission 0.85, 1 deposits 40.00; cash held changed by 9.15" in told
    assert "0 sales" in run("agents", "entries", "lobby", "--month", "2001-01").output
    assert "terms set" in run("agents", "terms", "lobby", "--closed", *by).output
    assert "nothing changed" in run("agents", "terms", "lobby", "--closed", *by).output
    assert "may not sell" in str(run("top-up", "a-1", "1", "--agent", "lobby").exception)
    unknown = run("api-keys", "create", "till", "--scope", "kiosk", "--agent", "nobody", *by)
    assert "no agent 'nobody'" in str(unknown.exception)
    assert run("api-keys", "create", "till", "--scope", "kiosk", "--agent", "lobby", *by).output.startswith("wlk_")
    both = run("api-keys", "create", "x", "--scope", "kiosk", "--scope", "finance", "--agent", "lobby", *by)
    assert "scope kiosk alone" in str(both.exception)


def test_the_policy_is_shown_and_changed(run: Run) -> None:
    assert "one person decides up to 500.00" in run("policy", "four-eyes").output
    run("policy", "four-eyes", "--limit", "50", "--operator", "li")
    assert "one person decides up to 50.00; two people" in run("policy", "four-eyes").output


@pytest.mark.parametrize(("amount", "balance"), [("5.5", "5.5"), ("-5.5", "-5.5")])
def test_an_adjustment_goes_either_way(run: Run, finance: Connection[Any], amount: str, balance: str) -> None:
    assert run("account", "adjust", "a-1", amount, *BY).exit_code == 0
    assert f"{balances(finance)[0].balance.normalize():f}" == balance


def test_a_dispute_and_its_end_are_conditions_of_the_account(run: Run, finance: Connection[Any]) -> None:
    run("account", "dispute", "a-1", "30", "--dispute", "d-1", *BY)
    found = conditions(finance, accounts=["a-1"])["a-1"]
    assert (found.disputed_micros, found.disputes, found.spares(MOVED_IN)) == (30_000_000, 1, True)
    assert "not known" in str(run("account", "resolve", "a-1", "--dispute", "d-1", "--outcome", "won", *BY).exception)
    run("account", "resolve", "a-1", "--dispute", "d-1", "--outcome", "rejected", *BY)
    assert not conditions(finance, accounts=["a-1"])["a-1"].spares(MOVED_IN)


def test_a_notice_spares_until_it_is_over(run: Run, database: Database, finance: Connection[Any]) -> None:
    with Ledger(url=database.url("wattledger_writer")) as ledger:
        till = Till(ledger)
        top_up = till.tops_up("a-1", 50)
        till.uses("a-1", 50)
    run("account", "reverse", str(top_up), *BY)
    found = conditions(finance, accounts=["a-1"])["a-1"]
    assert found.notice_until is not None
    assert found.debt_micros == 50_000_000
    assert found.spares(found.notice_until - timedelta(seconds=1))
    assert not found.spares(found.notice_until)


def test_balances_at_the_head_come_from_the_checkpoint_and_what_came_after(
    run: Run, database: Database, project: Project, finance: Connection[Any]
) -> None:
    with Ledger(url=database.url("wattledger_writer"), checkpoint=checkpoint) as ledger:
        till = Till(ledger)
        till.tops_up("a-1", 50)
        project()
        assert checkpoint(finance, ["a-1"]).balance_micros("a-1") == 50_000_000
        till.uses("a-1", "12.345678")
        assert checkpoint(finance, ["a-1"]).balance_micros("a-1") == 50_000_000
        assert ledger.standing(["a-1"]).balance_micros("a-1") == 37_654_322


def test_who_is_behind_an_account_is_kept_shown_and_erased_and_the_ledger_is_as_before(
    run: Run, finance: Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_REFERENCE_KEY", "5a" * 32)
    run("top-up", "a-1", "50", "--reference", "ICBC 4711", "--key", "k")
    run("account", "set-contact", "a-1", "--name", "王芳", "--phone", "+86 139 1234")
    shown = run("account", "show-contact", "a-1").output
    assert all(word in shown for word in ("王芳", "+86 139 1234", "ICBC 4711"))
    events = finance.execute("SELECT string_agg(state::text, '') FROM ledger.events").fetchone()
    before = read_log(finance, after=0)
    assert b"4711".hex() not in str(events)
    assert "3 rows erased" in run("account", "erase-personal-data", "a-1", "--yes").output
    assert run("account", "show-contact", "a-1").output == "a-1: nothing is kept\n"
    assert read_log(finance, after=0) == before
    assert head_of(finance)[0] == 3


def test_a_receipt_nobody_can_place_is_kept_and_then_credited(run: Run, finance: Connection[Any]) -> None:
    run("receipts", "keep", "r-1", "50", "--operator", "li")
    assert "r-1: credited to a-1 (position 5" in run("receipts", "identify", "r-1", "a-1", "--operator", "li").output
    assert "position 5, account.credited, names position 3" in run("account", "links", "3").output
    settled = run("receipts", "settle", "app", "100", "--fees", "0.6", "--bank", "icbc", "--operator", "li")
    assert "app: paid out" in settled.output
    assert balances(finance)[0].balance == 50


def test_every_command_of_the_groups_says_what_it_does(run: Run) -> None:
    for group in ("account", "proposals", "policy"):
        told = run(group, "--help").output
        assert told.count("│") > 2
