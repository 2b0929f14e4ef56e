"""Refunds, adjustments, debits given back, write-offs, closing, disputes, receipts: what each books and refuses."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account_facts import DebitCorrected
from ledger.domain.meter import TimeChargeDebited
from ledger.store.application import Ledger
from ledger.usecases.attempt import Booked
from ledger.usecases.money.attempt import MoneyCommand
from ledger.usecases.money.disputing import OpenDispute, ResolveDispute
from ledger.usecases.money.paying_out import CloseAccount, CollectDebt, Refund
from ledger.usecases.money.putting_right import Adjust, CorrectDebit, WriteOff
from ledger.usecases.money.receipts import identify_receipt, keep_receipt, return_receipt, settle_clearing
from ledger.usecases.money.undoing import ChargeBack, ReverseTopUp
from ledger.values.errors import Conflict, InvalidValue, LedgerError, NotFound, Refused
from tests.ledger.facts import FACTS
from tests.ledger.till import Till, books, head, micros, newest


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1", "a-2")
    return till


def refund(amount: float | str, account: str = "a-1") -> Refund:
    return Refund(account=account, amount_micros=micros(amount), channel="bank")


def test_a_refund_pays_out_part_of_the_balance_and_never_more_than_it(till: Till, writer: Connection[Any]) -> None:
    till.tops_up("a-1", 50)
    till.uses("a-1", "20.5")
    till.orders(refund(9))
    assert till.balance("a-1") == Decimal("20.5")
    with pytest.raises(Refused, match=r"'a-1' has 20\.50 to its credit; 20\.500001 cannot be refunded"):
        till.orders(refund("20.500001"))
    till.orders(refund("20.5"))
    assert till.balance("a-1") == 0
    assert books(writer)["assets:cash:bank"] == Decimal("-29.5")


def test_the_same_refund_sent_twice_is_paid_once(till: Till) -> None:
    till.tops_up("a-1", 50)
    assert till.orders(refund(9), key="r") == till.orders(refund(9), key="r")
    assert till.balance("a-1") == 41
    with pytest.raises(Conflict, match="amount_micros was '9000000', is '10000000'"):
        till.orders(refund(10), key="r")


def test_an_adjustment_names_who_bears_it(till: Till, writer: Connection[Any]) -> None:
    till.orders(Adjust(account="a-1", amount_micros=micros(5), bearer="gifts"), reason="goodwill")
    till.orders(Adjust(account="a-1", amount_micros=micros(-2)), reason="typing-error")
    assert till.balance("a-1") == 3
    assert books(writer) == {
        "expenses:adjustments": -2,
        "expenses:gifts": 5,
        "liabilities:prepayment": -3,
    }


def test_a_debit_after_a_meter_fault_is_given_back_in_shares_of_its_lines(
    till: Till, writer: Connection[Any]
) -> None:
    debit = till.uses("a-1", "11.30")
    till.orders(CorrectDebit(debit_position=debit, amount_micros=micros("1.13")), reason="meter-fault")
    fact = newest(writer)
    assert isinstance(fact, DebitCorrected)
    assert (fact.debit_position, [line.amount_micros for line in fact.lines]) == (debit, [-1_000_000, -130_000])
    assert books(writer) == {
        "income:energy": -9,
        "liabilities:prepayment": Decimal("10.17"),
        "liabilities:vat": Decimal("-1.17"),
    }


def test_standing_charges_are_given_back_like_usage(till: Till, writer: Connection[Any]) -> None:
    charge = next(fact for fact in FACTS if isinstance(fact, TimeChargeDebited))
    till.opens(charge.account)
    position = till.debits(charge)
    with pytest.raises(Refused, match=rf"of the debit at position {position} 1\.00 is left"):
        till.orders(CorrectDebit(debit_position=position, amount_micros=1_000_001))
    till.orders(CorrectDebit(debit_position=position, amount_micros=1_000_000))
    assert till.balance(charge.account) == 0
    assert books(writer) == {}


def test_no_more_of_a_debit_is_given_back_than_there_is(till: Till) -> None:
    debit = till.uses("a-1", 10)
    till.orders(CorrectDebit(debit_position=debit, amount_micros=micros(7)))
    with pytest.raises(Refused, match=rf"of the debit at position {debit} 3\.00 is left, 7\.00 of 10\.00 was given"):
        till.orders(CorrectDebit(debit_position=debit, amount_micros=micros("3.000001")))
    till.orders(CorrectDebit(debit_position=debit, amount_micros=micros(3)))
    assert till.balance("a-1") == 0


def test_a_write_off_gives_up_debt_first_and_never_more_than_is_owed(till: Till, writer: Connection[Any]) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 60)
    till.orders(ReverseTopUp(top_up_position=top_up))
    with pytest.raises(Refused, match=r"owes 60\.00; 61\.00 cannot be written off"):
        till.orders(WriteOff(account="a-1", amount_micros=micros(61)))
    till.orders(WriteOff(account="a-1", amount_micros=micros(55)))
    assert till.stands("a-1", balance=-5, debt=0)
    assert books(writer)["expenses:write-offs"] == 55


def test_closing_pays_out_whole_fen_and_rounds_the_rest_away(till: Till, writer: Connection[Any]) -> None:
    till.tops_up("a-1", 50)
    till.uses("a-1", "12.345678")
    till.orders(CloseAccount(account="a-1", channel="bank"))
    assert till.balance("a-1") == 0
    assert books(writer)["assets:cash:bank"] == Decimal("-37.65")
    assert books(writer)["expenses:rounding"] == Decimal("-0.004322")


def test_closing_pays_debt_first_and_leaves_what_nobody_fetches_unclaimed(
    till: Till, writer: Connection[Any]
) -> None:
    top_up = till.tops_up("a-1", 50)
    till.uses("a-1", 30)
    till.orders(ReverseTopUp(top_up_position=top_up))
    till.tops_up("a-1", 40)
    till.orders(CloseAccount(account="a-1"))
    assert till.stands("a-1", balance=0, debt=0)
    assert books(writer)["liabilities:unclaimed-balances"] == -10


def test_closing_below_zero_leaves_a_debt_that_can_be_collected(till: Till) -> None:
    till.uses("a-1", 30)
    till.orders(CloseAccount(account="a-1", channel="bank"))
    assert till.stands("a-1", balance=0, debt=30)
    till.orders(CollectDebt(account="a-1", amount_micros=micros(30), channel="bank"))
    assert till.stands("a-1", balance=0, debt=0)
    with pytest.raises(Refused, match="is closed, and nothing was booked on it since"):
        till.orders(CloseAccount(account="a-1", channel="bank"))


def test_a_currency_without_hundredths_closes_in_whole_units(till: Till, writer: Connection[Any]) -> None:
    till.opens("j-1", currency="JPY")
    till.tops_up("j-1", "100.9")
    till.orders(CloseAccount(account="j-1", channel="bank"))
    assert books(writer)["assets:cash:bank"] == -100


def test_a_dispute_that_is_upheld_names_its_remedy(till: Till) -> None:
    debit = till.uses("a-1", 30)
    till.orders(OpenDispute(account="a-1", dispute="d-1", amount_micros=micros(30), about_position=debit))
    with pytest.raises(Refused, match="open dispute, 'd-1'; resolve it first"):
        till.orders(CloseAccount(account="a-1", channel="bank"))
    with pytest.raises(Refused, match="names the event that put it right"):
        till.orders(ResolveDispute(account="a-1", dispute="d-1", outcome="upheld"))
    remedy = till.orders(CorrectDebit(debit_position=debit, amount_micros=micros(30)))
    till.orders(ResolveDispute(account="a-1", dispute="d-1", outcome="upheld", remedy_position=remedy))
    with pytest.raises(NotFound, match="no open dispute 'd-1'; open: none"):
        till.orders(ResolveDispute(account="a-1", dispute="d-1", outcome="rejected"))


def test_an_unidentified_receipt_is_credited_once_to_whom_it_belongs(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    kept = keep_receipt(ledger, receipt="r-1", amount_micros=micros(50), channel="bank", by=till.by())
    assert books(writer)["liabilities:unidentified-receipts"] == -50
    identify_receipt(ledger, receipt="r-1", account="a-1", by=till.by())
    assert till.balance("a-1") == 50
    assert "liabilities:unidentified-receipts" not in books(writer)
    assert newest(writer).receipt_position == kept.position  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="'r-1' was credited to account 'a-1' already"):
        identify_receipt(ledger, receipt="r-1", account="a-2", by=till.by())


def test_a_receipt_goes_back_to_whoever_had_sent_it_once(till: Till, ledger: Ledger, writer: Connection[Any]) -> None:
    keep_receipt(ledger, receipt="r-1", amount_micros=micros(50), channel="app", by=till.by(), is_cleared=True)
    assert books(writer)["assets:clearing:app"] == 50
    by = till.by(key="back")
    first = return_receipt(ledger, receipt="r-1", by=by)
    assert books(writer) == {}
    assert return_receipt(ledger, receipt="r-1", by=by) == Booked(first.position, is_repeat=True)
    with pytest.raises(Refused, match="'r-1' was returned to whoever had sent it"):
        return_receipt(ledger, receipt="r-1", by=till.by())
    with pytest.raises(Refused, match="'r-1' was returned"):
        identify_receipt(ledger, receipt="r-1", account="a-1", by=till.by())
    with pytest.raises(NotFound, match="no receipt 'r-2'"):
        return_receipt(ledger, receipt="r-2", by=till.by())


def test_a_receipt_that_was_credited_to_the_wrong_account_waits_again_once_that_is_reversed(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    keep_receipt(ledger, receipt="r-1", amount_micros=micros(50), channel="bank", by=till.by())
    wrong = identify_receipt(ledger, receipt="r-1", account="a-1", by=till.by())
    till.orders(ReverseTopUp(top_up_position=wrong.position), reason="wrong-account")
    assert books(writer)["liabilities:unidentified-receipts"] == -50
    identify_receipt(ledger, receipt="r-1", account="a-2", by=till.by())
    assert till.stands("a-1", balance=0, debt=0)
    assert till.stands("a-2", balance=50, debt=0)
    assert "liabilities:unidentified-receipts" not in books(writer)


def test_a_receipt_that_the_bank_takes_back_does_not_wait_again(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    keep_receipt(ledger, receipt="r-1", amount_micros=micros(50), channel="bank", by=till.by())
    top_up = identify_receipt(ledger, receipt="r-1", account="a-1", by=till.by())
    till.orders(ChargeBack(top_up_position=top_up.position), reason="recalled")
    assert books(writer) == {}
    with pytest.raises(Refused, match="credited to account 'a-1' already"):
        identify_receipt(ledger, receipt="r-1", account="a-2", by=till.by())


def test_of_many_who_place_one_receipt_at_once_one_does(till: Till, ledger: Ledger) -> None:
    keep_receipt(ledger, receipt="r-1", amount_micros=micros(50), channel="bank", by=till.by())

    def place(number: int) -> str:
        by = till.by(key=f"at-once-{number}")
        try:
            if number % 2:
                return_receipt(ledger, receipt="r-1", by=by)
            else:
                identify_receipt(ledger, receipt="r-1", account=f"a-{1 + number % 4 // 2}", by=by)
        except Refused:
            return "refused"
        return "done"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(place, range(8))) == ["done", *["refused"] * 7]


def test_a_provider_pays_out_what_it_had_less_its_fees(till: Till, ledger: Ledger, writer: Connection[Any]) -> None:
    till.tops_up("a-1", 100, is_cleared=True)
    settle_clearing(
        ledger,
        channel="kiosk",
        gross_micros=micros(100),
        fees_micros=micros("0.6"),
        commission_micros=micros("1.4"),
        bank="icbc",
        by=till.by(),
    )
    assert books(writer) == {
        "assets:cash:icbc": 98,
        "expenses:agent-commission:kiosk": Decimal("1.4"),
        "expenses:provider-fees:kiosk": Decimal("0.6"),
        "liabilities:prepayment": -100,
    }


@pytest.mark.parametrize(
    ("command", "error", "told"),
    [
        (refund(0), InvalidValue, r"refund 0\.00 is not positive"),
        (refund(51), Refused, r"has 50\.00 to its credit"),
        (refund(1, "a-9"), NotFound, "no account 'a-9'"),
        (Adjust(account="a-1", amount_micros=0), InvalidValue, "changes nothing"),
        (
            CorrectDebit(debit_position=1, amount_micros=1),
            NotFound,
            "no debit at position 1; what is there",
        ),
        (CorrectDebit(debit_position=99, amount_micros=1), NotFound, "no debit at position 99; check"),
        (WriteOff(account="a-1", amount_micros=1), Refused, r"owes 0\.00"),
        (CollectDebt(account="a-1", amount_micros=1, channel="c"), Refused, r"owes 0\.00"),
        (OpenDispute(account="a-1", dispute="d", amount_micros=1, about_position=2), NotFound, "moved no money"),
        (OpenDispute(account="a-1", dispute="d", amount_micros=0), InvalidValue, "not positive"),
        (CloseAccount(account="a-1", channel="a b"), InvalidValue, "'a b' is not a code"),
    ],
)
def test_a_command_that_is_refused_changes_nothing(
    till: Till, writer: Connection[Any], command: MoneyCommand, error: type[LedgerError], told: str
) -> None:
    till.tops_up("a-1", 50)
    before = head(writer)
    with pytest.raises(error, match=told):
        till.orders(command)
    assert head(writer) == before


@pytest.mark.parametrize("words", [{"operator": "Li Na"}, {"reason": "meter was wrong"}, {"reason": ""}])
def test_reasons_and_operators_are_codes_not_free_text(till: Till, words: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="is not a code"):
        till.orders(Adjust(account="a-1", amount_micros=1), **words)
