"""Days and minimums where people move: whole days only, each to who lived there, however late the move is told."""

from datetime import date
from decimal import Decimal

import pytest

from ledger.domain.meter import BillingPeriodClosed, TimeChargeDebited
from ledger.domain.meter_life import OccupancyClosed, OccupancyCorrected
from ledger.domain.occupancy import agrees
from tests.ledger.life import Life, life
from tests.ledger.test_ticking import DAILY, MINIMUM, text_with

DAY_MIN = 24 * 60
PRORATED = '[proration]\nminimum = "days"\n'
HALF = 500_000
# Moved in on 2 March at 16:00 in Shanghai: so many minutes later it is noon on the 10th.
NOON_ON_THE_10TH = 8 * DAY_MIN - 4 * 60


def home_on(*parts: str, measures: str = "register") -> Life:
    return life(measures=measures, text=text_with(*parts))


def check_that_the_stream_refolds(home: Life) -> None:
    prices = home.snapshot.prices_of(home.supply)
    assert agrees(home.metering.state, home.history.counters(prices))
    assert all(
        sum(posting.amount_micros for posting in getattr(event.fact, "postings", [])) == 0
        for event in home.draft.events
    )


def standing(home: Life) -> dict[str, int]:
    """How many half units, that is days, each account was charged."""
    return {account: amount // HALF for (account, name), amount in home.charged.items() if name == "standing"}


def test_the_day_of_a_move_is_nobodys() -> None:
    home = home_on(DAILY)
    home.ticks("2026-03-09")
    home.reads(101, at=NOON_ON_THE_10TH)
    home.moves_out(at=NOON_ON_THE_10TH, register=101)
    home.ticks("2026-03-12")
    assert standing(home) == {"room-1-a": 7, "landlord": 2}
    days = [(fact.account, fact.first_date, fact.last_date) for fact in home.facts(TimeChargeDebited)]
    assert days[-1] == ("landlord", date(2026, 3, 11), date(2026, 3, 12))
    check_that_the_stream_refolds(home)


@pytest.mark.parametrize("is_metered", [True, False])
def test_a_move_told_late_takes_the_days_charged_since_back_and_gives_them_to_the_next(is_metered: bool) -> None:
    home = home_on(DAILY)
    home.reads(101, at=60)
    home.ticks("2026-03-09")
    if is_metered:
        home.reads(103, at=9 * DAY_MIN)
    home.ticks("2026-03-14")
    assert standing(home) == {"room-1-a": 12}
    home.moves_in("room-1-b", at=NOON_ON_THE_10TH)
    home.ticks("2026-03-15")
    assert standing(home) == {"room-1-a": 7, "room-1-b": 5}
    (corrected,) = home.facts(OccupancyCorrected)
    assert sum(posting.amount_micros for posting in corrected.postings) == 0
    home.reads(105, at=15 * DAY_MIN)
    assert sum(home.kwh.values()) == 5
    home.ticks("2026-03-16")
    assert standing(home) == {"room-1-a": 7, "room-1-b": 6}
    check_that_the_stream_refolds(home)


def test_days_of_the_next_occupant_are_charged_before_any_reading_closes_the_one_before() -> None:
    home = home_on(DAILY)
    home.reads(101, at=60)
    home.moves_in("room-1-b", at=NOON_ON_THE_10TH)
    home.ticks("2026-03-12")
    assert standing(home) == {"room-1-a": 7, "room-1-b": 2}
    assert home.metering.state.account == "room-1-a"
    home.reads(111, at=11 * DAY_MIN)
    assert home.metering.state.account == "room-1-b"
    assert sum(home.kwh.values()) == 11
    check_that_the_stream_refolds(home)


def test_moving_out_closes_the_period_for_the_days_that_were_lived_in_before_the_final_bill() -> None:
    home = home_on(MINIMUM, PRORATED)
    home.reads(101, at=NOON_ON_THE_10TH)
    home.moves_out(at=NOON_ON_THE_10TH, register=101)
    home.ticks("2026-03-10")
    (closed,) = home.facts(BillingPeriodClosed)
    assert (closed.account, closed.lived_from, closed.lived_until) == (
        "room-1-a",
        date(2026, 3, 2),
        date(2026, 3, 11),
    )
    assert closed.amount_micros == (10_000_000 * 9 * 2 + 31) // 62 - 617_000
    assert home.kinds.index("BillingPeriodClosed") < home.kinds.index("OccupancyClosed")
    assert home.facts(OccupancyClosed)[0].counters.closed == {"2026-03": (date(2026, 3, 2), date(2026, 3, 11))}
    home.ticks("2026-03-31")
    assert [fact.account for fact in home.facts(BillingPeriodClosed)] == ["room-1-a", "landlord"]
    check_that_the_stream_refolds(home)


def test_a_move_told_after_the_months_close_closes_each_occupants_part_of_it() -> None:
    home = home_on(MINIMUM, PRORATED)
    home.reads(101, at=NOON_ON_THE_10TH)
    home.ticks("2026-03-31")
    assert home.charged["room-1-a", "least"] == 10_000_000 * 30 // 31 - 617_000
    home.reads(101.5, at=30 * DAY_MIN)
    home.moves_in("room-1-b", at=NOON_ON_THE_10TH)
    home.ticks("2026-04-01")
    least = {account: amount for (account, name), amount in home.charged.items() if name == "least"}
    energy = {account: amount for (account, name), amount in home.charged.items() if name == "energy"}
    assert least["room-1-a"] + energy["room-1-a"] == (10_000_000 * 9 * 2 + 31) // 62
    march_of_b = 10_000_000 * 22 / 31
    assert abs(least["room-1-b"] + energy["room-1-b"] - march_of_b) < 300_000 * Decimal(1)
    check_that_the_stream_refolds(home)


def test_intervals_of_the_one_before_that_come_late_close_his_period_again() -> None:
    home = home_on(MINIMUM, measures="interval")
    home.uses(1, between=(0, 60), told_at=100)
    home.moves_in("room-1-b", at=NOON_ON_THE_10TH)
    home.uses(1, between=(NOON_ON_THE_10TH, NOON_ON_THE_10TH + 60), told_at=10**5)
    assert home.charged["room-1-a", "least"] == 10_000_000 - 617_000
    home.uses(2, between=(120, 180), told_at=10**5)
    assert home.charged["room-1-a", "least"] == 10_000_000 - 3 * 617_000
    check_that_the_stream_refolds(home)
