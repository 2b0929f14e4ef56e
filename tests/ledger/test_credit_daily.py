"""What credit does once a local day, and one payer for many accounts."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from ledger.domain.booking import booked
from ledger.domain.credit.policy import CreditPolicy, DebtTerms, EmergencyCredit
from ledger.domain.event import Event
from ledger.domain.meter import MeterState, Source, TimeChargeDebited
from ledger.domain.relay import LockCleared, LockSet
from ledger.domain.supply import SupplyOccupied
from ledger.rating.lines import Counters, Line
from ledger.store.application import Ledger
from ledger.usecases.credit.commands import AgreeDebt, TakeEmergencyCredit
from ledger.usecases.credit.daily import accrue_charges, collect_instalment
from ledger.usecases.credit.payers import set_payer_accounts, top_up_all
from ledger.usecases.credit.policies import set_credit_policy
from ledger.usecases.credit.standing import account_credit
from ledger.usecases.sites import change_site_settings
from ledger.usecases.supplies import register_supply
from ledger.values.errors import NotFound, Refused
from ledger.values.identity import meter_stream, relay_stream, supply_stream
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, micros

DAY = timedelta(days=1)
# A Monday.
MONDAY = MOVED_IN.replace(hour=12) + timedelta(days=(7 - MOVED_IN.weekday()) % 7)
POLICY = CreditPolicy(
    emergency=EmergencyCredit(limit_micros=micros(10), offered_below_micros=micros(5)),
    debt=DebtTerms(per_day_micros=micros(2), top_up_basis_points=5_000, week_cap_micros=micros(5)),
    charges_while_off="accrued",
)


@pytest.fixture
def till(ledger: Ledger) -> Till:
    change_site_settings(ledger, site="north", effective_from=MOVED_IN - DAY, now=MOVED_IN)
    set_credit_policy(ledger, site="north", policy=POLICY, effective_from=MOVED_IN - DAY, operator="li", now=MOVED_IN)
    till = Till(ledger)
    till.opens("a-1", "a-2")
    return till


def owes(till: Till, amount: int) -> None:
    till.orders(AgreeDebt(account="a-1", amount_micros=micros(amount), source="brought-forward"))


def collects(till: Till, days: float) -> bool:
    return collect_instalment(till.ledger, account="a-1", now=MONDAY + days * DAY).position > 0


def test_an_instalment_is_collected_once_a_local_day_and_up_to_the_week_s_cap(till: Till) -> None:
    till.tops_up("a-1", 50)
    owes(till, 100)
    assert collects(till, 0)
    assert collect_instalment(till.ledger, account="a-1", now=MONDAY + DAY / 4).is_repeat
    for days in (1, 2, 3):
        collects(till, days)
    assert till.stands("a-1", balance=45, debt=95)
    assert collects(till, 7)
    assert till.stands("a-1", balance=43, debt=93)


def test_instalments_pause_in_emergency_credit_and_never_reach_the_line(till: Till) -> None:
    till.tops_up("a-1", "1.5")
    owes(till, 100)
    till.orders(TakeEmergencyCredit(account="a-1"))
    assert collects(till, 0)
    assert till.balance("a-1") == Decimal("0.000001")
    till.uses("a-1", 3)
    assert not collects(till, 1)
    assert account_credit(till.ledger, account="a-1", now=MONDAY).standing.emergency_used_micros > 0


def occupied(till: Till) -> None:
    register_supply(till.ledger, supply="s-1", site="north", concentrator="c-1", now=MOVED_IN)
    fact = SupplyOccupied(
        supply="s-1", account="a-1", occupied_from=MOVED_IN, opening_milliwh=0, recorded_at=MOVED_IN
    )
    till.ledger.append(Event(supply_stream("s-1"), 2, fact))


def charged(till: Till, version: int, days: float) -> None:
    """A standing charge of 0.80 for a day."""
    lines = [Line("standing", "1", "day", "0.8", micros("0.8"), "flat", 1)]
    fact = TimeChargeDebited(
        supply="s-1",
        account="a-1",
        first_date=date(2026, 3, version),
        last_date=date(2026, 3, version),
        started_at=MONDAY + (days - 1) * DAY,
        ended_at=MONDAY + days * DAY,
        before=Counters(),
        lines=lines,
        amount_micros=micros("0.8"),
        postings=[],
        source=Source(0, version, MONDAY + days * DAY, "calendar", version),
        state=MeterState(),
        recorded_at=MONDAY + days * DAY,
    )
    till.ledger.append(Event(meter_stream("s-1"), version, booked(fact)))


def locked(till: Till, version: int, days: float, *, is_set: bool) -> None:
    fact = (LockSet if is_set else LockCleared)(
        supply="s-1",
        cause="credit",
        account="a-1",
        balance_micros=0,
        ledger_position=1,
        recorded_at=MONDAY + days * DAY,
    )
    till.ledger.append(Event(relay_stream("s-1"), version, fact))


def test_what_time_charges_while_a_supply_is_off_accrues_once_and_the_next_top_up_pays_it(till: Till) -> None:
    occupied(till)
    charged(till, 1, 0)
    locked(till, 1, 0.5, is_set=True)
    charged(till, 2, 1)
    charged(till, 3, 2)
    locked(till, 2, 2.5, is_set=False)
    charged(till, 4, 3)
    assert till.balance("a-1") == Decimal("-3.2")
    assert accrue_charges(till.ledger, account="a-1", now=MONDAY + 4 * DAY) == 2
    assert accrue_charges(till.ledger, account="a-1", now=MONDAY + 4 * DAY) == 0
    figures = account_credit(till.ledger, account="a-1", now=MONDAY).figures
    assert (figures.balance_micros, figures.accrued_micros) == (micros("-1.6"), micros("1.6"))
    till.tops_up("a-1", 10)
    assert account_credit(till.ledger, account="a-1", now=MONDAY).figures.accrued_micros == 0
    assert till.balance("a-1") == Decimal("6.8")


def test_a_payer_tops_up_all_of_their_accounts_or_none(till: Till) -> None:
    with pytest.raises(NotFound, match="no payer 'dormitory'"):
        top_up_all(till.ledger, payer="dormitory", amounts_micros={"a-1": 1}, channel="bank", key="k", now=MOVED_IN)
    set_payer_accounts(till.ledger, payer="dormitory", accounts=["a-1", "a-2"], operator="li", now=MOVED_IN)
    both = {"a-1": micros(20), "a-2": micros(30)}
    with pytest.raises(Refused, match="does not pay for 'a-3'"):
        top_up_all(
            till.ledger, payer="dormitory", amounts_micros=both | {"a-3": 1}, channel="bank", key="k", now=MOVED_IN
        )
    assert till.balance("a-1") == 0
    first = top_up_all(till.ledger, payer="dormitory", amounts_micros=both, channel="bank", key="k", now=MOVED_IN)
    again = top_up_all(till.ledger, payer="dormitory", amounts_micros=both, channel="bank", key="k", now=MOVED_IN)
    assert (first.position, again.is_repeat) == (again.position, True)
    assert [till.balance(account) for account in both] == [20, 30]
