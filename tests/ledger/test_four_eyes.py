"""Two people for what is large, and for prices that people already pay: both are in the event."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account_facts import Refunded
from ledger.domain.proposal import ProposalApproved
from ledger.domain.tariff import TariffPublished
from ledger.store.application import Ledger
from ledger.store.log import read_log
from ledger.usecases.money.limits import NeedsApproval, change_four_eyes, four_eyes
from ledger.usecases.money.paying_out import Refund
from ledger.usecases.money.proposals import LASTS, PublishTariff, approve, proposal_of, propose, reject
from ledger.usecases.money.putting_right import Adjust
from ledger.usecases.money.undoing import ReverseTopUp
from ledger.values.errors import Conflict, LedgerError, NotFound, Refused
from tests.ledger.builders import MOVED_IN, tariff_text
from tests.ledger.till import Till, head, micros, newest

LARGE = Refund(account="a-1", amount_micros=micros(600), channel="bank")


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1")
    till.tops_up("a-1", 1_000)
    return till


def proposed(till: Till, key: str = "p") -> str:
    return propose(till.ledger, LARGE, by=till.by(key=key, reason="moving-out"), why="too much").made.proposal


def test_what_is_large_takes_two_people_and_what_is_not_takes_one(till: Till, writer: Connection[Any]) -> None:
    before = head(writer)
    with pytest.raises(NeedsApproval, match=r"600\.00 is above 500\.00, the most that one person decides alone"):
        till.orders(LARGE)
    assert head(writer) == before
    till.orders(LARGE, approved_by="wang")
    fact = newest(writer)
    assert isinstance(fact, Refunded)
    assert (fact.operator, fact.approved_by) == ("li", "wang")
    till.orders(Refund(account="a-1", amount_micros=micros(400), channel="bank"))


def test_nobody_approves_their_own_command(till: Till) -> None:
    with pytest.raises(Refused, match="'li' cannot approve what they proposed themselves"):
        till.orders(LARGE, approved_by="li")
    proposal = proposed(till)
    with pytest.raises(Refused, match="'li' cannot approve what they proposed themselves"):
        approve(till.ledger, proposal=proposal, operator="li", now=MOVED_IN)


def test_an_approval_carries_the_command_out_in_the_same_transaction(till: Till, writer: Connection[Any]) -> None:
    proposal = proposed(till)
    assert till.balance("a-1") == 1_000
    booked = approve(till.ledger, proposal=proposal, operator="wang", now=MOVED_IN)
    approval, refund = (row.fact for row in read_log(writer, after=booked.position - 2))
    assert isinstance(approval, ProposalApproved)
    assert isinstance(refund, Refunded)
    assert (refund.operator, refund.approved_by, refund.proposal) == ("li", "wang", proposal)
    assert refund.reason == "moving-out"
    assert till.balance("a-1") == 400
    again = approve(till.ledger, proposal=proposal, operator="wang", now=MOVED_IN)
    assert (again.position, again.is_repeat) == (booked.position, True)


def test_approvals_at_once_have_one_effect(till: Till) -> None:
    proposal = proposed(till)

    def one(operator: str) -> object:
        try:
            return approve(till.ledger, proposal=proposal, operator=operator, now=MOVED_IN)
        except LedgerError as error:
            return error

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, ["wang", "zhao", "qian", "sun"]))
    assert till.balance("a-1") == 400


def test_what_the_balance_no_longer_allows_is_refused_at_the_approval(till: Till) -> None:
    proposal = proposed(till)
    till.uses("a-1", 500)
    with pytest.raises(Refused, match=r"has 500\.00 to its credit"):
        approve(till.ledger, proposal=proposal, operator="wang", now=MOVED_IN)
    assert proposal_of(till.ledger, proposal).outcome == "open"


def test_a_rejected_proposal_is_over(till: Till) -> None:
    proposal = proposed(till)
    reject(till.ledger, proposal=proposal, operator="wang", reason="wrong-channel", now=MOVED_IN)
    with pytest.raises(Refused, match="is rejected already by 'wang'"):
        approve(till.ledger, proposal=proposal, operator="zhao", now=MOVED_IN)
    assert till.balance("a-1") == 1_000


def test_a_proposal_that_nobody_decides_on_expires(till: Till) -> None:
    proposal = proposed(till)
    with pytest.raises(Refused, match=r"waited until .* and is over"):
        approve(till.ledger, proposal=proposal, operator="wang", now=MOVED_IN + LASTS)
    assert proposal_of(till.ledger, proposal).outcome == "expired"


def test_the_same_key_proposes_once(till: Till, writer: Connection[Any]) -> None:
    proposal = proposed(till)
    before = head(writer)
    assert proposed(till) == proposal
    assert head(writer) == before
    other = Refund(account="a-1", amount_micros=micros(700), channel="bank")
    with pytest.raises(Conflict, match="amount_micros was 600000000, is 700000000"):
        propose(till.ledger, other, by=till.by(key="p", reason="moving-out"), why="")


def test_a_reversal_takes_one_person_however_large(till: Till) -> None:
    till.orders(ReverseTopUp(top_up_position=2))
    assert till.balance("a-1") == 0


def test_the_limit_is_a_site_s_before_the_ledger_s_and_from_its_instant_on(till: Till) -> None:
    later = MOVED_IN + timedelta(days=1)
    change_four_eyes(
        till.ledger, effective_from=later, operator="li", now=MOVED_IN, site="north", limit_micros=micros(10)
    )
    till.orders(Adjust(account="a-1", amount_micros=micros(11)))
    with pytest.raises(NeedsApproval, match=r"11\.00 is above 10\.00"):
        till.orders(Adjust(account="a-1", amount_micros=micros(-11)), now=later)
    assert four_eyes(till.ledger, now=later).limit_micros == micros(500)
    assert four_eyes(till.ledger, now=later, site="north").limit_micros == micros(10)


def test_what_needs_two_people_is_changed_by_two_people_after_the_first_time(till: Till) -> None:
    def change(**words: Any) -> None:
        change_four_eyes(till.ledger, effective_from=MOVED_IN, operator="li", now=MOVED_IN, **words)

    change(limit_micros=micros(10))
    with pytest.raises(NeedsApproval, match="changed by two people"):
        change(limit_micros=micros(10_000))
    change(limit_micros=micros(10_000), approved_by="wang")


def test_a_tariff_that_is_proposed_is_published_by_its_approval(ledger: Ledger, writer: Connection[Any]) -> None:
    till = Till(ledger)
    command = PublishTariff(text=tariff_text(), effective_from=MOVED_IN.isoformat(), note="yearly")
    proposal = propose(ledger, command, by=till.by(), why="prices").made.proposal
    approve(ledger, proposal=proposal, operator="wang", now=MOVED_IN)
    fact = newest(writer)
    assert isinstance(fact, TariffPublished)
    assert (fact.version, fact.proposed_by, fact.approved_by, fact.proposal) == (1, "li", "wang", proposal)


def test_a_proposal_that_is_not_there_is_told(ledger: Ledger) -> None:
    with pytest.raises(NotFound, match="no proposal 'refund-1'; `wattledger proposals list`"):
        approve(ledger, proposal="refund-1", operator="wang", now=MOVED_IN)
