"""Tax due at payment: with every command the tax on an account's advances is the tax in its balance, zero at zero."""

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.domain import chart
from ledger.domain.postings import debit_postings
from ledger.rating.advances import tax_shares
from ledger.rating.tariff import parse_tariff
from ledger.store.application import Ledger
from ledger.usecases.money.paying_out import CloseAccount, Refund
from ledger.usecases.money.putting_right import CorrectDebit
from ledger.usecases.money.tax_point import tax_in
from ledger.usecases.money.undoing import ReverseTopUp, TransferTopUp
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import MeterFacts, assign_tariff, install_meter, occupy, register_supply
from ledger.usecases.supply_life import assign_landlord, move_out
from ledger.usecases.tariffs import publish_tariff
from tests.ledger.builders import MOVED_IN, household, tariff_text
from tests.ledger.till import Till, books, micros

AT_PAYMENT = tariff_text().replace('tax_point = "supply"', 'tax_point = "payment"')
TWO_TAXES = AT_PAYMENT + '\n[[taxes]]\ncomponent = "city"\npercent = "2"\non = ["energy", "vat"]\n'
SHARE = Fraction(13, 113)


def publish_and_occupy(ledger: Ledger, *accounts: str, text: str = AT_PAYMENT) -> None:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN, now=MOVED_IN)
    publish_tariff(ledger, text=text, effective_from=MOVED_IN - timedelta(days=1), note="", now=MOVED_IN)
    for account in accounts:
        supply = f"room-of-{account}"
        register_supply(ledger, supply=supply, site="north", concentrator="c1", now=MOVED_IN)
        meter = MeterFacts(serial=f"m-{account}", profile="acrel_ddsy1352", max_power_w=10_000)
        install_meter(ledger, supply=supply, meter=meter, installed_at=MOVED_IN, opening_milliwh=0, now=MOVED_IN)
        occupy(ledger, supply=supply, account=account, occupied_from=MOVED_IN, opening_milliwh=0, now=MOVED_IN)
        assign_tariff(ledger, supply=supply, tariff="flat", effective_from=MOVED_IN, now=MOVED_IN)


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1", "a-2")
    publish_and_occupy(ledger, "a-1", "a-2")
    return till


def is_right(till: Till, account: str) -> bool:
    """The rule, as it is written down."""
    expected = tax_in(micros(till.balance(account)), SHARE)
    return till.advance_tax(account) == Decimal(expected).scaleb(-6)


def test_a_top_up_makes_tax_due_and_consumption_releases_it(till: Till, writer: Connection[object]) -> None:
    till.tops_up("a-1", 113)
    assert books(writer) == {
        "assets:cash:kiosk": 113,
        "assets:tax-on-advances:vat": 13,
        "liabilities:prepayment": -113,
        "liabilities:vat": -13,
    }
    till.uses("a-1", 113, at_payment=True)
    assert books(writer) == {"assets:cash:kiosk": 113, "income:energy": -100, "liabilities:vat": -13}


def test_a_refund_takes_its_tax_back(till: Till, writer: Connection[object]) -> None:
    till.tops_up("a-1", 113)
    till.orders(Refund(account="a-1", amount_micros=micros("56.5"), channel="kiosk"))
    assert books(writer)["liabilities:vat"] == Decimal("-6.5")
    till.orders(Refund(account="a-1", amount_micros=micros("56.5"), channel="kiosk"))
    assert books(writer) == {}


def test_a_reversal_of_a_spent_top_up_keeps_the_tax_of_what_was_supplied(
    till: Till, writer: Connection[object]
) -> None:
    top_up = till.tops_up("a-1", 113)
    till.uses("a-1", "56.5", at_payment=True)
    till.orders(ReverseTopUp(top_up_position=top_up))
    assert till.advance_tax("a-1") == 0
    assert books(writer) == {
        "assets:debt-receivable": Decimal("56.5"),
        "income:energy": -50,
        "liabilities:vat": Decimal("-6.5"),
    }


def test_a_transfer_takes_the_tax_on_the_advance_along(till: Till, writer: Connection[object]) -> None:
    top_up = till.tops_up("a-1", 113)
    till.orders(TransferTopUp(top_up_position=top_up, to_account="a-2"))
    assert till.advance_tax("a-1") == 0
    assert till.advance_tax("a-2") == 13
    assert books(writer)["liabilities:vat"] == -13


def test_a_debit_given_back_is_an_advance_again(till: Till) -> None:
    till.tops_up("a-1", 113)
    debit = till.uses("a-1", 113, at_payment=True)
    till.orders(CorrectDebit(debit_position=debit, amount_micros=micros("11.3")))
    assert is_right(till, "a-1")


def test_a_landlord_pays_tax_with_the_top_up_for_what_is_vacant(ledger: Ledger) -> None:
    till = Till(ledger)
    till.opens("a-1", "landlord")
    publish_and_occupy(ledger, "a-1")
    assign_landlord(ledger, supply="room-of-a-1", account="landlord", effective_from=MOVED_IN, now=MOVED_IN)
    move_out(
        ledger,
        supply="room-of-a-1",
        at=MOVED_IN + timedelta(hours=1),
        register_milliwh=None,
        now=MOVED_IN + timedelta(hours=2),
    )
    assert ledger.occupied_by("landlord") == ["room-of-a-1"]
    till.tops_up("landlord", 113, now=MOVED_IN + timedelta(hours=3))
    assert till.advance_tax("landlord") == 13


def test_several_taxes_each_have_their_share(ledger: Ledger, writer: Connection[object]) -> None:
    shares = tax_shares(parse_tariff(TWO_TAXES))
    assert shares == {"vat": Fraction(1300, 11526), "city": Fraction(226, 11526)}
    till = Till(ledger)
    till.opens("a-1")
    publish_and_occupy(ledger, "a-1", text=TWO_TAXES)
    till.tops_up("a-1", "115.26")
    assert books(writer)["assets:tax-on-advances:vat"] == 13
    assert books(writer)["liabilities:city"] == Decimal("-2.26")


def test_taxes_at_supply_are_in_no_advance(ledger: Ledger) -> None:
    assert tax_shares(parse_tariff(tariff_text())) == {}


def test_levies_in_per_cent_are_in_the_advance_but_are_no_tax_of_it() -> None:
    text = AT_PAYMENT.replace("\n[[taxes]]", '\n[[levies]]\ncomponent = "fund"\npercent = "10"\n[[taxes]]', 1)
    text = text.replace('percent = "10"\n', 'percent = "10"\non = ["energy"]\n')
    assert tax_shares(parse_tariff(text)) == {"vat": Fraction(13, 123)}


def test_metering_under_tax_at_payment_books_its_tax_off_the_advances() -> None:
    home = household(text=AT_PAYMENT)
    home.reads(1, at=60)
    (debit,) = home.debits
    codes = {(posting.code, posting.account) for posting in debit.postings}
    assert (chart.tax_on_advances("vat"), "room-1-a") in codes
    assert debit.postings == debit_postings(account="room-1-a", lines=debit.lines)


amounts = st.integers(1, 10**10)
moves = st.lists(st.tuples(st.sampled_from(["pay", "use", "back"]), amounts), min_size=1, max_size=40)


@settings(max_examples=200)
@given(moves, st.integers(1, 50))
def test_whatever_comes_the_tax_is_the_share_of_the_balance_after_every_command(
    of: list[tuple[str, int]], percent: int
) -> None:
    """The rule against a plain model: tax due is that of all money in, less what is left of debits' rounding."""
    share = Fraction(percent, 100 + percent)
    balance = on_advances = payable = supplied = 0
    for kind, amount in of:
        if kind == "use":
            tax = round(amount * share)
            balance, on_advances, supplied = balance - amount, on_advances - tax, supplied + tax
            continue
        balance += amount if kind == "pay" else -min(amount, max(balance, 0))
        change = tax_in(balance, share) - on_advances
        on_advances, payable = on_advances + change, payable + change
        assert on_advances == tax_in(balance, share)
        # Nothing appears or is lost: what is payable is what was supplied and what is in the advances.
        assert payable == supplied + on_advances
        assert balance > 0 or on_advances == 0


def test_after_any_commands_on_a_real_ledger_the_rule_holds(till: Till) -> None:
    top_ups = [till.tops_up("a-1", amount) for amount in ("0.000007", "33.333333", "50", "12.34")]
    for amount in ("0.01", "3.333333", "7.77", "11.000001"):
        till.uses("a-1", amount, at_payment=True)
    till.orders(Refund(account="a-1", amount_micros=micros("1.234567"), channel="kiosk"))
    assert is_right(till, "a-1")
    till.orders(TransferTopUp(top_up_position=top_ups[1], to_account="a-2"))
    assert is_right(till, "a-1")
    assert is_right(till, "a-2")
    till.orders(ReverseTopUp(top_up_position=top_ups[2]))
    assert is_right(till, "a-1")
    till.orders(CloseAccount(account="a-1", channel="kiosk"))
    till.orders(CloseAccount(account="a-2", channel="kiosk"))
    assert till.advance_tax("a-1") == 0
    assert till.advance_tax("a-2") == 0
