"""Every transaction sums to zero (I1), and no kind of fact moves money without being looked at here."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain import chart
from ledger.domain.booking import BOOKS
from ledger.domain.event import FACTS, Fact, Posting
from ledger.domain.postings import balanced, debit_postings, top_up_postings
from ledger.rating.lines import Line
from tests.ledger import facts
from tests.ledger.builders import household

# Facts that move no money, each looked at by somebody: a new fact belongs here or has postings.
MOVES_NO_MONEY = {
    "payer.accounts-set/1",
    "supply.billed-by-token/1",
    "meter.token-issued/1",
    "supply.protected/1",
    "supply.protection-lifted/1",
    "supply.protection-review-lapsed/1",
    "cuts.dismissed/1",
    # What a charge brings in is the account's own `account.credited`.
    "autopay.caps-set/1",
    "autopay.charge-failed/1",
    "autopay.method-bound/1",
    "autopay.method-unbound/1",
    "autopay.rhythm-ended/1",
    "autopay.schedule-set/1",
    "autopay.threshold-set/1",
    "cuts.held/1",
    "cuts.released/1",
    "relay.forced-on/1",
    "relay.forcing-ended/1",
    "relay.grace-begun/1",
    "relay.grace-extended/1",
    "site.switching-rules-set/1",
    "supply.commissioned/1",
    "account.emergency-credit-taken/1",
    "agent.registered/1",
    "agent.terms-changed/1",
    "account.dispute-opened/1",
    "account.dispute-resolved/1",
    "account.opened/1",
    # Both accounts' sides are in `account.top-up-transferred`.
    "account.transfer-received/1",
    "books.balances-closed/1",
    "books.month-closed/1",
    "books.zone-set/1",
    "meter.reading-held/1",
    "policy.four-eyes-changed/1",
    "proposal.approved/1",
    "proposal.expired/1",
    "proposal.made/1",
    "proposal.rejected/1",
    # The account's `account.credited` of the same transaction books it.
    "receipt.identified/1",
    # The account's `account.top-up-reversed` of the same transaction books it.
    "receipt.reopened/1",
    "meter.base-changed/1",
    "meter.hold-settled/1",
    "meter.occupancy-closed/1",
    "meter.serial-confirmed/1",
    "relay.close-consented/1",
    "relay.lock-cleared/1",
    "relay.lock-set/1",
    "relay.low-balance-warned/1",
    "relay.order-concluded/1",
    "relay.order-issued/1",
    "relay.warning-cleared/1",
    "site.credit-policy-set/1",
    "site.timetable-set/1",
    "site.settings-changed/1",
    "supply.concentrator-changed/1",
    "supply.hold-resolved/1",
    "supply.landlord-assigned/1",
    "supply.meter-installed/1",
    "supply.meter-removed/1",
    "supply.multiplier-changed/1",
    "supply.occupied/1",
    "supply.registered/1",
    "supply.terms-assigned/1",
    "supply.vacated/1",
    "tariff.published/1",
}
WITH_POSTINGS = {topic for topic, cls in FACTS.items() if "postings" in cls.__struct_fields__}


def test_every_kind_of_fact_has_postings_or_is_known_to_move_no_money() -> None:
    assert set(FACTS) == MOVES_NO_MONEY | WITH_POSTINGS
    assert not MOVES_NO_MONEY & WITH_POSTINGS


def test_every_kind_of_fact_with_postings_has_one_pure_function_that_makes_them() -> None:
    assert set(BOOKS) == WITH_POSTINGS


@pytest.mark.parametrize("fact", [fact for fact in facts.FACTS if fact.topic in BOOKS], ids=lambda fact: fact.topic)
def test_what_a_fact_books_follows_from_its_own_fields(fact: Fact) -> None:
    assert BOOKS[fact.topic](fact) == getattr(fact, "postings")  # noqa: B009 - see below
    assert sum(posting.amount_micros for posting in BOOKS[fact.topic](fact)) == 0


@pytest.mark.parametrize("topic", sorted(WITH_POSTINGS))
def test_the_golden_example_of_a_fact_with_postings_balances(topic: str) -> None:
    fact = next(fact for fact in facts.FACTS if fact.topic == topic)
    postings: list[Posting] = getattr(fact, "postings")  # noqa: B009 - some facts have them, their base class has not
    assert postings
    assert sum(posting.amount_micros for posting in postings) == 0


amounts = st.integers(-(10**15), 10**15)
lines = st.lists(
    st.builds(
        Line,
        component=st.sampled_from(["energy", "grid", "vat", "city"]),
        quantity=st.just("1"),
        unit=st.just("kWh"),
        price=st.just("1"),
        amount_micros=amounts,
        tariff=st.just("flat"),
        version=st.just(1),
        tax=st.booleans(),
    ),
    max_size=8,
)


@given(lines)
def test_a_debit_balances_and_takes_from_the_consumer_what_its_lines_say(of: list[Line]) -> None:
    postings = debit_postings(account="room-1-a", lines=of)
    assert sum(posting.amount_micros for posting in postings) == 0
    assert all(posting.amount_micros != 0 for posting in postings)
    taken = sum(posting.amount_micros for posting in postings if posting.account == "room-1-a")
    assert taken == sum(line.amount_micros for line in of)
    assert {posting.code for posting in postings if posting.account} <= {chart.PREPAYMENT}


@given(lines)
def test_revenue_and_taxes_are_booked_each_on_its_own_code(of: list[Line]) -> None:
    booked = Counter({posting.code: -posting.amount_micros for posting in debit_postings(account="a", lines=of)})
    due: Counter[str] = Counter()
    for line in of:
        due[chart.tax_payable(line.component) if line.tax else chart.revenue(line.component)] += line.amount_micros
    assert {code: micros for code, micros in booked.items() if code != chart.PREPAYMENT} == {
        code: micros for code, micros in due.items() if micros
    }


@given(st.integers(1, 10**18))
def test_a_top_up_is_money_in_hand_and_electricity_owed(amount_micros: int) -> None:
    assert top_up_postings(account="a", channel="kiosk", amount_micros=amount_micros) == [
        Posting("assets:cash:kiosk", "", amount_micros),
        Posting("liabilities:prepayment", "a", -amount_micros),
    ]


def test_the_golden_debit_is_booked_on_these_accounts() -> None:
    assert debit_postings(account="room-1-a", lines=facts.LINES) == [
        Posting("liabilities:prepayment", "room-1-a", 697_210),
        Posting("income:energy", "", -617_000),
        Posting("liabilities:vat", "", -80_210),
    ]


def test_a_transaction_that_does_not_balance_stops_everything() -> None:
    with pytest.raises(AssertionError, match="sums to 1"):
        balanced([Posting("a", "", 3), Posting("b", "", -2)])


def test_what_metering_drafts_balances() -> None:
    home = household()
    for quarter in range(1, 20):
        home.reads(quarter * Decimal("0.333333"), at=15 * quarter)
    assert len(home.debits) == 19
    assert {sum(posting.amount_micros for posting in debit.postings) for debit in home.debits} == {0}
