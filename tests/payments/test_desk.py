"""What an operator sees of deliveries, and does about those that are held."""

import re

import pytest
import requests
from typer.testing import CliRunner, Result

from console.cli import make_app
from tests.payments.shop import CLEARING, JSON, Shop

OPERATOR = ("--operator", "op-7", "--reason", "adjusted")


@pytest.fixture
def run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> "Run":
    return Run(shop, monkeypatch)


class Run:
    """Runs commands as an operator does, each in the role that it needs."""

    def __init__(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self._shop, self._monkeypatch = shop, monkeypatch

    def __call__(self, *arguments: str, role: str = "wattledger_finance") -> Result:
        self._monkeypatch.setenv("WATTLEDGER_DATABASE_URL", self._shop.database.url(role))
        self._monkeypatch.setenv("COLUMNS", "250")
        return CliRunner().invoke(make_app(), list(arguments))


def held(shop: Shop) -> tuple[str, JSON]:
    """A part of a payment that is refunded: its number, and its news."""
    payment = shop.new_payment()
    part = shop.news("refunded", payment, amount="10.00")
    assert shop.tells(shop.news("succeeded", payment, account=shop.new_account()), part) == ["booked", "held"]
    return number(shop, part), part


def number(shop: Shop, news: JSON) -> str:
    row = shop.worker.execute("SELECT id FROM payments.deliveries WHERE event = %s", (news["id"],)).fetchone()
    assert row is not None
    return str(row[0])


def test_what_is_held_is_listed_is_on_the_worklist_and_told_as_a_metric(shop: Shop, run: Run) -> None:
    delivery, _ = held(shop)
    listed = run("deliveries", "list", "--provider", "shop").output
    assert f"│ {delivery} " in listed
    assert "10.00 CNY" in listed
    assert "a part is not taken back by itself" in listed
    assert "shop told refunded: 10.00 of a payment of 25.00" in run("worklist", "--kind", "held-delivery").output
    metrics = requests.get(f"{shop.address}/metrics", timeout=10).text
    assert 'wattledger_deliveries_open{news="refunded",provider="shop",state="held"}' in metrics


def test_what_is_settled_by_hand_is_off_the_worklist_and_says_by_whom(shop: Shop, run: Run) -> None:
    delivery, news = held(shop)
    outcome = run("deliveries", "settle", delivery, *OPERATOR, role="wattledger_writer")
    assert outcome.exit_code == 0, outcome.output
    assert shop.rows([news]) == [("noted", "settled by op-7: adjusted")]
    assert f"│ {delivery} " not in run("worklist", "--kind", "held-delivery").output
    assert f"│ {delivery} " in run("deliveries", "list", "--all").output
    assert shop.books_all() == []


def test_what_is_retried_is_taken_up_again_and_held_again_where_nothing_changed(shop: Shop, run: Run) -> None:
    delivery, news = held(shop)
    assert run("deliveries", "retry", delivery, role="wattledger_writer").exit_code == 0
    assert shop.rows([news])[0][0] == "waiting"
    assert shop.books_all() == ["held"]


def test_what_waits_is_retried_before_its_time(shop: Shop, run: Run) -> None:
    payment = shop.new_payment()
    back = shop.news("refunded", payment)
    assert shop.tells(back) == ["waiting"]
    assert shop.books_all() == []
    assert run("deliveries", "retry", number(shop, back), role="wattledger_writer").exit_code == 0
    assert shop.books_all() == ["waiting"]


def test_orders_about_what_is_not_held_are_refused(shop: Shop, run: Run) -> None:
    news = shop.news("succeeded", shop.new_payment(), account=shop.new_account())
    shop.tells(news)
    for arguments in (("retry", number(shop, news)), ("settle", number(shop, news), *OPERATOR), ("retry", "999999")):
        outcome = run("deliveries", *arguments, role="wattledger_writer")
        assert "see `wattledger deliveries list`" in str(outcome.exception)
    assert shop.rows([news])[0][0] == "booked"


def test_a_part_that_was_refunded_is_booked_by_hand_as_the_page_says(shop: Shop, run: Run) -> None:
    account, payment, before = shop.new_account(), shop.new_payment(), shop.books().get(CLEARING, 0)
    paid = shop.news("succeeded", payment, account=account)
    part = shop.news("refunded", payment, amount="10.00")
    shop.tells(paid, part)
    shop.till.uses(account, 20)
    listed = run("deliveries", "list", "--all", "--limit", "2").output
    [position] = re.findall(rf"{paid['id']}: position (\d+)", listed)
    for arguments in (
        ("account", "reverse", position, "--reason", "partly-refunded", "--operator", "op-7"),
        ("top-up", account, "15.00", "--channel", "shop", "--clearing"),
        ("deliveries", "settle", number(shop, part), *OPERATOR),
    ):
        outcome = run(*arguments, role="wattledger_writer")
        assert outcome.exit_code == 0, f"{outcome.output} {outcome.exception}"
    assert shop.balance(account) - shop.till.debt(account) == -5
    assert shop.books()[CLEARING] - before == 15
    again = shop.news("charged-back", payment)
    assert shop.tells(again) == ["held"]


@pytest.mark.parametrize("role", ["wattledger_finance", "wattledger_auditor", "wattledger_api"])
def test_only_the_writer_and_payments_change_what_is_kept(shop: Shop, run: Run, role: str) -> None:
    delivery, news = held(shop)
    assert "permission denied" in str(run("deliveries", "retry", delivery, role=role).exception)
    assert shop.rows([news])[0][0] == "held"
