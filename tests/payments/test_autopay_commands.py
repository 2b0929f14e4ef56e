"""Automatic top-ups as operators give and see them."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from typer.testing import CliRunner, Result

from console.cli import make_app
from console.payments.signed_json import SignedCharges
from tests.payments.autopay import Desk, opened
from tests.payments.shop import REFERENCE_KEY, SANDBOX_SECRET, Shop

Run = Callable[..., Result]
BY = ("--operator", "li")


@pytest.fixture(scope="module")
def desk(shop: Shop) -> Iterator[Desk]:
    with opened(shop) as desk:
        yield desk


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", desk.shop.database.url("wattledger_writer"))
    monkeypatch.setenv("WATTLEDGER_PEOPLE_DATABASE_URL", desk.shop.database.url("wattledger_people"))
    monkeypatch.setenv("WATTLEDGER_REFERENCE_KEY", REFERENCE_KEY)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments, **words: CliRunner().invoke(make_app(), list(arguments), **words)


def test_a_card_is_bound_set_shown_and_unbound(desk: Desk, run: Run) -> None:
    account = desk.shop.new_account()
    assert "nothing tops it up by itself" in run("autopay", "show", account).output
    bound = run("autopay", "bind", account, "card-1", "--provider", "sandbox", *BY, input="tok_secret\n")
    assert f"{account}: card-1 bound (position " in bound.output
    assert "tok_secret" not in bound.output
    run("autopay", "caps", account, "--day", "40", "--month", "90", *BY)
    run("autopay", "threshold", account, "20", "--below", "-5", "--method", "card-1", *BY)
    again = run("autopay", "threshold", account, "20", "--below", "-5", "--method", "card-1", *BY)
    assert again.output == f"{account}: nothing changed\n"
    run("autopay", "schedule", account, "30", "--every", "week", "--from", "2026-12-01", "--method", "card-1", *BY)
    lines = run("autopay", "show", account).output.splitlines()
    assert lines[0].startswith("method card-1: at sandbox, bound ")
    assert lines[1:] == [
        "schedule: 30.00 CNY every week from 2026-12-01, by card-1",
        "threshold: 20.00 CNY below -5.00 CNY, by card-1",
        "caps: 40.00 CNY a day, 90.00 CNY a month",
    ]
    assert "threshold ended" in run("autopay", "end", account, "threshold", "--reason", "asked", *BY).output
    assert "card-1 unbound" in run("autopay", "unbind", account, "card-1", "--reason", "lost", *BY).output
    assert "nothing tops it up" in run("autopay", "show", account).output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("schedule", "20", "--every", "year", "--from", "2026-12-01"), "use day, week or month"),
        (("schedule", "20", "--every", "day", "--from", "tomorrow"), "write it as 2026-12-01"),
        (("threshold", "-20", "--below", "5"), "give an amount above zero"),
        (("threshold", "much", "--below", "5"), "much"),
    ],
)
def test_what_cannot_be_is_told_with_its_remedy(desk: Desk, run: Run, arguments: tuple[str, ...], told: str) -> None:
    account = desk.account()
    command, *rest = arguments
    outcome = run("autopay", command, account, *rest, "--method", "card-1", *BY)
    assert told in str(outcome.exception)


def test_an_unknown_charge_is_on_the_worklist_until_somebody_says_what_became_of_it(desk: Desk, run: Run) -> None:
    account = desk.account()
    desk.below(account)
    deaf = desk.process(SignedCharges("http://127.0.0.1:9/charges", [SANDBOX_SECRET]))
    desk.turns(payments=deaf)
    assert "no answer; asked for after 2100-11-28 04:00 UTC" in run("autopay", "show", account).output
    for _ in range(22):
        desk.turns(after=timedelta(hours=1), payments=deaf)
    (charge,) = desk.charges(account)
    assert f"sandbox may have charged account {account}" in run("worklist", "--kind", "unknown-charge").output
    assert charge.charge in run("autopay", "charges").output
    settled = run("autopay", "settle", charge.charge, "--reason", "not-charged", *BY)
    assert settled.output == f"{charge.charge}: settled by li\n"
    assert charge.charge not in run("worklist", "--kind", "unknown-charge").output
    assert run("autopay", "charges").output == "no charge is open\n"
    assert "is unknown; see" in str(run("autopay", "settle", charge.charge, "--reason", "not-charged", *BY).exception)
    desk.turns()
    assert (desk.states(account), desk.balance(account)) == (["dropped", "booked"], 20)
