"""Agents: receipt numbers without gaps, commission, the cash that they may hold, what they deposit."""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection

from ledger.domain.account import AccountCredited
from ledger.domain.agent import AgentSold, AgentTerms
from ledger.store.application import Ledger
from ledger.store.log import head_of, read_log
from ledger.usecases.accounts import top_up
from ledger.usecases.attempt import Booked
from ledger.usecases.money.agents import agent_state, change_agent_terms, deposit, register_agent
from ledger.usecases.money.selling import FloatExceeded
from ledger.usecases.money.undoing import ChargeBack, ReverseTopUp, TransferTopUp
from ledger.values.errors import Conflict, InvalidValue, NotFound, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, books, micros
from tests.services.postgres import Database

TERMS = AgentTerms(commission_bps=150, commission_fixed_micros=micros("0.10"), float_limit_micros=micros(100))


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1", "a-2")
    register_agent(ledger, agent="lobby", currency="CNY", terms=TERMS, operator="li", now=MOVED_IN)
    return till


def numbers(connection: Connection[Any]) -> tuple[list[int], list[int]]:
    """The receipt numbers of all sales, and those that top-ups say, in the order of the ledger."""
    facts = [entry.fact for entry in read_log(connection, after=0, limit=10_000)]
    sold = [fact.receipt_number for fact in facts if isinstance(fact, AgentSold)]
    return sold, [fact.receipt_number for fact in facts if isinstance(fact, AccountCredited)]


def test_a_sale_is_the_agents_cash_less_what_they_earn(till: Till, ledger: Ledger, writer: Connection[Any]) -> None:
    till.tops_up("a-1", 50, agent="lobby")
    assert books(writer) == {
        "assets:agents:lobby": Decimal("49.15"),
        "expenses:agent-commission:lobby": Decimal("0.85"),
        "liabilities:prepayment": Decimal(-50),
    }
    state, _ = agent_state(ledger, "lobby")
    assert (state.receipts, state.held_micros, state.commission_micros) == (1, 49_150_000, 850_000)


def test_an_agent_who_would_hold_too_much_is_told_how_much_to_deposit(till: Till, ledger: Ledger) -> None:
    till.tops_up("a-1", 50, agent="lobby")
    told = r"holds 49\.15 CNY of at most 100\.00; .* 60\.00 would bring it to 108\.15: deposit 8\.15 or more first"
    with pytest.raises(FloatExceeded, match=told):
        till.tops_up("a-1", 60, agent="lobby")
    assert till.balance("a-1") == Decimal(50)
    deposit(ledger, agent="lobby", amount_micros=micros("8.15"), bank="icbc", by=till.by())
    till.tops_up("a-1", 60, agent="lobby")
    assert agent_state(ledger, "lobby")[0].held_micros == TERMS.float_limit_micros


def test_a_deposit_is_booked_once_per_key_and_may_be_paid_ahead(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    by = till.by(key="d-1")
    first = deposit(ledger, agent="lobby", amount_micros=micros(30), bank="icbc", by=by)
    again = deposit(ledger, agent="lobby", amount_micros=micros(30), bank="icbc", by=by)
    assert again == Booked(first.position, is_repeat=True)
    with pytest.raises(Conflict, match="amount_micros"):
        deposit(ledger, agent="lobby", amount_micros=micros(31), bank="icbc", by=by)
    assert books(writer) == {"assets:agents:lobby": Decimal(-30), "assets:cash:icbc": Decimal(30)}
    with pytest.raises(NotFound, match="no agent 'nobody'"):
        deposit(ledger, agent="nobody", amount_micros=1, bank="icbc", by=till.by())


def test_a_sale_that_is_reversed_takes_money_and_commission_back_and_keeps_its_number(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    position = till.tops_up("a-1", 50, agent="lobby")
    with pytest.raises(Refused, match="was paid at agent 'lobby', no bank can take it back"):
        till.orders(ChargeBack(top_up_position=position))
    till.orders(ReverseTopUp(top_up_position=position), reason="wrong-account")
    assert books(writer) == {}
    state, _ = agent_state(ledger, "lobby")
    assert (state.receipts, state.held_micros, state.undone_micros) == (1, 0, 50_000_000)
    till.tops_up("a-2", 10, agent="lobby")
    assert numbers(writer) == ([1, 2], [1, 2])


def test_a_transfer_leaves_the_agents_cash_as_it_is(till: Till, ledger: Ledger, writer: Connection[Any]) -> None:
    position = till.tops_up("a-1", 50, agent="lobby")
    till.orders(TransferTopUp(top_up_position=position, to_account="a-2"))
    assert books(writer)["assets:agents:lobby"] == Decimal("49.15")
    assert agent_state(ledger, "lobby")[0].held_micros == 49_150_000


def test_terms_hold_from_the_next_sale_on(till: Till, ledger: Ledger) -> None:
    closed = AgentTerms(commission_bps=0, commission_fixed_micros=0, float_limit_micros=micros(100), is_open=False)
    assert change_agent_terms(ledger, agent="lobby", terms=TERMS, operator="li", now=MOVED_IN) == 0
    assert change_agent_terms(ledger, agent="lobby", terms=closed, operator="li", now=MOVED_IN) > 0
    with pytest.raises(Refused, match="agent 'lobby' may not sell"):
        till.tops_up("a-1", 5, agent="lobby")


def test_what_no_agent_can_be_is_told_all_at_once(till: Till, ledger: Ledger) -> None:
    bad = AgentTerms(commission_bps=5_001, commission_fixed_micros=-1, float_limit_micros=-1)
    with pytest.raises(
        InvalidValue, match=r"50\.01% is not from 0 to 50%; fixed commission -0\.000001 .*; float limit"
    ):
        register_agent(ledger, agent="kiosk", currency="CNY", terms=bad, operator="li", now=MOVED_IN)
    with pytest.raises(Refused, match="'lobby' is registered already"):
        register_agent(ledger, agent="lobby", currency="CNY", terms=TERMS, operator="li", now=MOVED_IN)
    till.opens("dollars", currency="USD")
    with pytest.raises(Refused, match="sells in CNY, account 'dollars' is in USD"):
        till.tops_up("dollars", 5, agent="lobby")
    with pytest.raises(NotFound, match="no agent 'nobody'"):
        till.tops_up("a-1", 5, agent="nobody")


def test_a_commission_is_never_more_than_the_sale() -> None:
    assert TERMS.commission_micros(50_000) == 50_000
    assert TERMS.commission_micros(10_000_001) == 250_000


def test_many_tills_of_one_agent_at_once_leave_no_gap_and_no_double(
    till: Till, ledger: Ledger, writer: Connection[Any]
) -> None:
    def sell(number: int) -> bool:
        try:
            position = top_up(
                ledger,
                account=f"a-{1 + number % 2}",
                amount_micros=micros(5),
                channel="kiosk",
                key=f"sale-{number // 2}-{number % 2}",
                now=MOVED_IN,
                agent="lobby",
            ).position
        except FloatExceeded:
            return False
        return position > 0

    with ThreadPoolExecutor(6) as pool:
        sold = sum(pool.map(sell, range(30)))
    # 4.825 of each sale stay with the agent: the twenty-first would be beyond the hundred.
    assert sold == 20
    assert numbers(writer) == (list(range(1, 21)), list(range(1, 21)))


SELLER = """
import sys
from datetime import UTC, datetime
from ledger.store.application import Ledger
from ledger.usecases.accounts import top_up
url, name = sys.argv[1:]
with Ledger(url=url) as ledger:
    number = 0
    while True:
        number += 1
        top_up(ledger, account="a-1", amount_micros=1_000, channel="kiosk", key=f"{name}-{number}",
            now=datetime.now(UTC), agent="lobby")
"""


def test_tills_that_are_killed_while_they_sell_leave_no_gap_and_no_double(
    till: Till, database: Database, writer: Connection[Any]
) -> None:
    chance, url = random.Random(7), database.url("wattledger_writer")
    for turn in range(3):
        before, _ = head_of(writer)
        sellers = [
            subprocess.Popen([sys.executable, "-c", SELLER, url, f"{turn}-{seller}"], env=os.environ)
            for seller in range(2)
        ]
        deadline = time.monotonic() + 20
        while head_of(writer)[0] < before + 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.05))
        for seller in sellers:
            seller.send_signal(signal.SIGKILL)
            seller.wait()
    sold, credited = numbers(writer)
    assert len(sold) >= 9
    assert sold == credited == list(range(1, len(sold) + 1))
