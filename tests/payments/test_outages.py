"""Floods, and a database that is away: nothing is answered as kept that is not, and the genuine ones get through."""

from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from console.payments.booking import book_next
from ledger.store.application import Ledger
from ledger.store.standing import Standing
from tests.payments.shop import DETAILS, Shop


def test_no_number_of_forged_deliveries_keeps_a_genuine_one_out(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    answers = [shop.delivers(news, headers={}) for _ in range(62)]
    assert [answer.status_code for answer in answers] == [403] * 60 + [429] * 2
    assert answers[-1].headers["Retry-After"] == "60"
    assert "60 deliveries that are not genuine" in answers[-1].json()["detail"]
    assert shop.delivers(news).status_code == 202
    assert shop.books_all() == ["booked"]


def test_a_delivery_is_not_answered_as_kept_while_the_database_is_away(shop: Shop) -> None:
    account = shop.new_account()
    news = shop.news("succeeded", shop.new_payment(), account=account)
    name = sql.Identifier(shop.database.name)
    with psycopg.connect(shop.database.server.url(), autocommit=True) as owner:
        owner.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        owner.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'wattledger_api'")
        answer = shop.delivers(news)
        owner.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, DETAILS)
    assert answer.json()["detail"] == "the ledger does not answer at the moment; send the same again"
    assert shop.delivers(news).status_code == 202
    assert shop.books_all() == ["booked"]


def test_what_cannot_be_booked_while_balances_are_behind_is_booked_once_they_are_not(shop: Shop) -> None:
    account, payment = shop.new_account(), shop.new_payment()
    shop.tells(shop.news("succeeded", payment, account=account))
    shop.delivers(shop.news("charged-back", payment))
    now = datetime.now(UTC) + timedelta(seconds=1)
    url = shop.database.url("wattledger_payments")
    with Ledger(url=url, checkpoint=lambda _connection, _accounts: Standing(position=-1_000_000)) as ledger:
        for _ in range(12):
            done = book_next(shop.worker, ledger, now=now)
            assert done is not None
            assert done.state == "waiting"
            now += timedelta(seconds=31)
    assert shop.balance(account) == 25
    assert shop.books_all(after=now - datetime.now(UTC)) == ["booked"]
    assert shop.balance(account) == 0
