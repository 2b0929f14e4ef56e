"""Top-ups taken away again: once only, as debt where they are spent, linked to what they undo (design §3)."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account_facts import TopUpReversed
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.attempt import Booked
from ledger.usecases.money.carrying_out import carry_out
from ledger.usecases.money.paying_out import CloseAccount, CollectDebt
from ledger.usecases.money.putting_right import Adjust
from ledger.usecases.money.undoing import NOTICE, ChargeBack, ReverseTopUp, TransferTopUp
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, books, head, newest


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1", "a-2")
    return till


def test_a_top_up_that_is_not_spent_is_reversed_from_the_balance(till: Till, writer: Connection[Any]) -> None:
    top_up = till.tops_up("a-1", 50)
    till.tops_up("a-1", 5)
    till.orders(ReverseTopUp(top_up_position=top_up), reason="wrong-amount")
    assert till.stands("a-1", balance=5, debt=0)
    assert books(writer) == {"assets:cash:kiosk": 5, "liabilities:prepayment": -5}
    fact = newest(writer)
    assert isinstance(fact, TopUpReversed)
    assert (fact.top_up_position, fact.reason, fact.operator) == (top_up, "wrong-amount", "li")
    assert fact.notice_until is None


def test_of_a_spent_top_up_the_rest_comes_off_and_what_is_spent_is_debt_with_notice(
    till: Till, writer: Connection[Any]
) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 30)
    till.orders(ReverseTopUp(top_up_position=top_up))
    assert till.stands("a-1", balance=0, debt=30)
    fact = newest(writer)
    assert isinstance(fact, TopUpReversed)
    assert fact.notice_until == MOVED_IN + NOTICE
    assert books(writer)["assets:debt-receivable"] == 30
    assert "assets:cash:kiosk" not in books(writer)


def test_a_balance_below_zero_is_not_touched_by_a_reversal(till: Till) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 60)
    till.orders(ReverseTopUp(top_up_position=top_up))
    assert till.stands("a-1", balance=-10, debt=50)


@pytest.mark.parametrize(
    "second",
    [
        lambda position: ReverseTopUp(top_up_position=position),
        lambda position: ChargeBack(top_up_position=position),
        lambda position: TransferTopUp(top_up_position=position, to_account="a-2"),
    ],
    ids=["reversal", "chargeback", "transfer"],
)
def test_a_second_undoing_is_refused_and_says_by_what_it_was_undone(
    till: Till, writer: Connection[Any], second: Any
) -> None:
    top_up = till.tops_up("a-1", 50)
    first = till.orders(ReverseTopUp(top_up_position=top_up))
    before = head(writer)
    with pytest.raises(Refused, match=f"reversed already, by the event at position {first}"):
        till.orders(second(top_up))
    assert head(writer) == before


def test_two_reversals_at_once_have_one_effect(till: Till, ledger: Ledger, writer: Connection[Any]) -> None:
    top_up = till.tops_up("a-1", 50)

    def reverse(number: int) -> Booked | LedgerError:
        try:
            return carry_out(ledger, ReverseTopUp(top_up_position=top_up), by=till.by(key=f"r-{number}"))
        except LedgerError as error:
            return error

    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(reverse, range(8)))
    assert sum(isinstance(outcome, Booked) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 7
    assert till.balance("a-1") == 0
    reversals = [row for row in read_log(writer, after=0) if isinstance(row.fact, TopUpReversed)]
    assert len(reversals) == 1


def test_two_reversals_at_once_with_one_key_both_tell_the_one_effect(till: Till, ledger: Ledger) -> None:
    top_up = till.tops_up("a-1", 50)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(
            threads.map(
                lambda _: carry_out(ledger, ReverseTopUp(top_up_position=top_up), by=till.by(key="one")), range(8)
            )
        )
    assert {outcome.position for outcome in outcomes} == {top_up + 1}
    assert sum(not outcome.is_repeat for outcome in outcomes) == 1


def test_the_same_key_for_another_reversal_is_a_conflict_that_names_it(till: Till) -> None:
    first, second = till.tops_up("a-1", 50), till.tops_up("a-1", 50)
    till.orders(ReverseTopUp(top_up_position=first), key="k")
    with pytest.raises(Conflict, match=f"top_up_position was '{first}', is '{second}'"):
        till.orders(ReverseTopUp(top_up_position=second), key="k")


def test_a_chargeback_costs_us_its_fee(till: Till, writer: Connection[Any]) -> None:
    top_up = till.tops_up("a-1", 50, is_cleared=True)
    till.uses("a-1", "11.30")
    till.orders(ChargeBack(top_up_position=top_up, fee_micros=15_000_000))
    assert till.stands("a-1", balance=0, debt=Decimal("11.3"))
    found = books(writer)
    assert found["assets:clearing:kiosk"] == -15
    assert found["expenses:chargebacks"] == 15


def test_a_misapplied_top_up_moves_to_the_right_account_in_one_transaction(
    till: Till, writer: Connection[Any]
) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 20)
    till.orders(TransferTopUp(top_up_position=top_up, to_account="a-2"))
    assert till.stands("a-1", balance=0, debt=20)
    assert till.balance("a-2") == 50
    assert books(writer)["assets:cash:kiosk"] == 50
    topics = [row.fact.topic for row in read_log(writer, after=head(writer) - 2)]
    assert topics == ["account.transfer-received/1", "account.top-up-transferred/1"]


@pytest.mark.parametrize(
    ("command", "error", "told"),
    [
        (lambda _: ReverseTopUp(top_up_position=999), NotFound, "no top-up at position 999"),
        (lambda _: ReverseTopUp(top_up_position=1), NotFound, "no top-up at position 1"),
        (lambda at: TransferTopUp(top_up_position=at, to_account="a-1"), Refused, "is 'a-1''s already"),
        (lambda at: TransferTopUp(top_up_position=at, to_account="a-9"), NotFound, "no account 'a-9'"),
        (lambda at: TransferTopUp(top_up_position=at, to_account="b 9"), InvalidValue, "'b 9' is not a code"),
        (lambda at: ChargeBack(top_up_position=at, fee_micros=-1), InvalidValue, "fee -0.000001 is not positive"),
    ],
)
def test_an_undoing_that_is_refused_changes_nothing(
    till: Till, writer: Connection[Any], command: Any, error: type[LedgerError], told: str
) -> None:
    top_up = till.tops_up("a-1", 50)
    before = head(writer)
    with pytest.raises(error, match=told):
        till.orders(command(top_up))
    assert head(writer) == before
    assert writer.execute("SELECT count(*) FROM ledger.command_keys").fetchone() == (1,)


def test_a_top_up_in_another_currency_is_not_moved(till: Till) -> None:
    till.opens("e-1", currency="EUR")
    with pytest.raises(Refused, match="'a-1' is in CNY, 'e-1' in EUR; reverse the top-up"):
        till.orders(TransferTopUp(top_up_position=till.tops_up("a-1", 50), to_account="e-1"))


def test_debt_is_paid_up_to_what_is_owed(till: Till) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 30)
    till.orders(ReverseTopUp(top_up_position=top_up))
    with pytest.raises(Refused, match=r"owes 30\.00, less than the 31\.00 paid"):
        till.orders(CollectDebt(account="a-1", amount_micros=31_000_000, channel="kiosk"))
    till.orders(CollectDebt(account="a-1", amount_micros=30_000_000, channel="kiosk"))
    assert till.stands("a-1", balance=0, debt=0)


def test_a_closed_account_takes_late_debits_and_reversals_but_no_top_up(till: Till) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 50)
    till.orders(CloseAccount(account="a-1", channel="bank"))
    till.uses("a-1", 3)
    till.orders(ReverseTopUp(top_up_position=top_up))
    assert till.stands("a-1", balance=-3, debt=50)
    with pytest.raises(Refused, match="'a-1' is closed; top another one up"):
        till.tops_up("a-1", 3)
    with pytest.raises(Refused, match="'a-1' is closed"):
        till.orders(Adjust(account="a-1", amount_micros=1))
    till.orders(CloseAccount(account="a-1", channel="bank"))
    assert till.stands("a-1", balance=0, debt=53)
