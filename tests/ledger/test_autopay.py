"""Topping up by itself: which dates of a schedule are due, and what may be said of methods, rhythms and caps."""

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.domain.autopay import NONE_SET, ChargeFailed, ScheduleSet, newest_date_due
from ledger.store.application import Ledger
from ledger.store.log import head_of
from ledger.usecases.autopay import (
    Saying,
    autopay_of,
    bind_method,
    end_rhythm,
    record_failure,
    set_caps,
    set_schedule,
    set_threshold,
    unbind_method,
)
from ledger.usecases.money.paying_out import CloseAccount
from ledger.values.errors import InvalidValue, NotFound, Refused
from tests.ledger.builders import MOVED_IN
from tests.ledger.till import Till, micros

SHANGHAI = ZoneInfo("Asia/Shanghai")
HASH = "0f" * 32
EVERY = st.sampled_from(["day", "week", "month"])
DATES = st.dates(date(2023, 1, 1), date(2028, 12, 31))


def schedule(every: Any, from_date: date, *, said: datetime = datetime(2020, 1, 1, tzinfo=UTC)) -> ScheduleSet:
    return ScheduleSet(
        account="a-1",
        method="card-1",
        amount_micros=micros(20),
        every=every,
        from_date=from_date,
        operator="li",
        recorded_at=said,
    )


def noon(day: date, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=zone)


def due(rule: ScheduleSet, day: date) -> date | None:
    return newest_date_due(rule, now=noon(day), zone=SHANGHAI)


@given(EVERY, DATES, st.integers(0, 400))
def test_looking_every_day_each_date_of_a_schedule_is_seen_once_and_on_its_day(
    every: Any, first: date, days: int
) -> None:
    rule = schedule(every, first)
    looked = [first + timedelta(days=number) for number in range(-3, days + 1)]
    seen = [due(rule, day) for day in looked]
    assert seen[:3] == [None] * 3
    fresh = [on for on, before in zip(seen, [None, *seen[:-1]], strict=True) if on != before]
    plain: dict[str, Callable[[date], bool]] = {
        "day": lambda day: True,
        "week": lambda day: day.weekday() == first.weekday(),
        "month": lambda day: day.day == min(first.day, calendar.monthrange(day.year, day.month)[1]),
    }
    assert fresh == [day for day in looked if day >= first and plain[every](day)]


@pytest.mark.parametrize(
    ("today", "newest"),
    [
        (date(2026, 1, 30), None),
        (date(2026, 1, 31), date(2026, 1, 31)),
        (date(2026, 2, 27), date(2026, 1, 31)),
        (date(2026, 2, 28), date(2026, 2, 28)),
        (date(2026, 3, 30), date(2026, 2, 28)),
        (date(2026, 4, 30), date(2026, 4, 30)),
        (date(2028, 2, 28), date(2028, 1, 31)),
        (date(2028, 2, 29), date(2028, 2, 29)),
    ],
)
def test_a_month_that_is_too_short_ends_on_its_last_day(today: date, newest: date | None) -> None:
    assert due(schedule("month", date(2026, 1, 31)), today) == newest


def test_dates_missed_are_not_caught_up_with() -> None:
    assert due(schedule("day", date(2026, 1, 1)), date(2026, 3, 9)) == date(2026, 3, 9)
    assert due(schedule("week", date(2026, 1, 1)), date(2026, 3, 9)) == date(2026, 3, 5)


def test_a_schedule_set_later_than_it_begins_takes_nothing_for_what_was_before() -> None:
    rule = schedule("month", date(2026, 1, 15), said=noon(date(2026, 3, 20)))
    assert due(rule, date(2026, 3, 20)) is None
    assert due(rule, date(2026, 4, 14)) is None
    assert due(rule, date(2026, 4, 15)) == date(2026, 4, 15)


@pytest.mark.parametrize(
    ("zone", "before_midnight"),
    [
        ("Asia/Shanghai", "2026-03-08T15:59:59+00:00"),
        # The days on which clocks change, of 23 and of 25 hours, and one whose midnight does not exist.
        ("America/New_York", "2026-03-09T03:59:59+00:00"),
        ("America/New_York", "2026-11-02T04:59:59+00:00"),
        ("America/Santiago", "2026-09-06T03:59:59+00:00"),
    ],
)
def test_a_date_is_due_from_the_local_midnight_on_whatever_the_clocks_do(zone: str, before_midnight: str) -> None:
    before = datetime.fromisoformat(before_midnight)
    tomorrow = (before + timedelta(seconds=1)).astimezone(ZoneInfo(zone)).date()
    rule = schedule("day", tomorrow)
    assert newest_date_due(rule, now=before, zone=ZoneInfo(zone)) is None
    assert newest_date_due(rule, now=before + timedelta(seconds=1), zone=ZoneInfo(zone)) == tomorrow


@pytest.fixture
def till(ledger: Ledger) -> Till:
    till = Till(ledger)
    till.opens("a-1")
    bind_method(ledger, by=saying(), method="card-1", provider="stripe", reference_hash=HASH)
    return till


def saying(account: str = "a-1") -> Saying:
    return Saying(account=account, operator="li", now=MOVED_IN)


def threshold(till: Till, amount: Any = 20, method: str = "card-1") -> int:
    return set_threshold(
        till.ledger, by=saying(), method=method, amount_micros=micros(amount), below_micros=micros(5)
    )


def monthly(till: Till, amount: Any = 20, method: str = "card-1") -> int:
    words: dict[str, Any] = {"every": "month", "from_date": date(2026, 4, 1)}
    return set_schedule(till.ledger, by=saying(), method=method, amount_micros=micros(amount), **words)


def test_what_stands_already_is_said_again_without_an_event(till: Till, ledger: Ledger) -> None:
    said: list[Callable[[], int]] = [
        lambda: bind_method(ledger, by=saying(), method="card-1", provider="stripe", reference_hash=HASH),
        lambda: threshold(till),
        lambda: monthly(till),
        lambda: set_caps(ledger, by=saying(), day_micros=micros(30), month_micros=micros(30)),
        lambda: end_rhythm(ledger, by=saying(), rhythm="schedule", reason="asked"),
    ]
    assert [one() > 0 for one in said] == [False, True, True, True, True]
    assert [one() for one in (said[0], said[1], said[3], said[4])] == [0, 0, 0, 0]


def test_a_method_that_is_unbound_ends_the_rhythms_that_charged_it_and_no_other(till: Till, ledger: Ledger) -> None:
    bind_method(ledger, by=saying(), method="card-2", provider="stripe", reference_hash="1e" * 32)
    threshold(till)
    monthly(till, method="card-2")
    unbind_method(ledger, by=saying(), method="card-1", reason="lost")
    left = autopay_of(ledger, "a-1")
    assert (set(left.methods), left.threshold, left.schedule is not None) == ({"card-2"}, None, True)
    with pytest.raises(Refused, match=r"'card-1' is no payment method of 'a-1' \(bound: card-2\); bind it first"):
        threshold(till)
    with pytest.raises(NotFound, match="'card-1' is no payment method"):
        unbind_method(ledger, by=saying(), method="card-1", reason="lost")


def test_a_code_names_one_method_until_it_is_unbound(till: Till, ledger: Ledger) -> None:
    other: dict[str, Any] = {"method": "card-1", "provider": "stripe", "reference_hash": "1e" * 32}
    with pytest.raises(Refused, match="'card-1' is another payment method of 'a-1'; unbind it, or choose another"):
        bind_method(ledger, by=saying(), **other)
    unbind_method(ledger, by=saying(), method="card-1", reason="lost")
    assert bind_method(ledger, by=saying(), **other) > 0
    assert autopay_of(ledger, "a-1").methods["card-1"].reference_hash == "1e" * 32


def test_an_amount_may_meet_its_cap_and_not_pass_it(till: Till, ledger: Ledger) -> None:
    set_caps(ledger, by=saying(), day_micros=micros(30), month_micros=micros(40))
    assert threshold(till, 30) > 0
    with pytest.raises(Refused, match=r"30\.01 is above the cap of 30\.00 a day .* autopay caps"):
        monthly(till, "30.01")


@pytest.mark.parametrize(
    ("day", "month", "told"),
    [
        (0, 10, "give amounts above zero"),
        (-1, 10, "give amounts above zero"),
        (1, 10_000_001, r"10000000\.00 at most"),
        (11, 10, "give a day's that is no more than the month's"),
    ],
)
def test_caps_are_above_zero_and_a_days_is_within_a_months(
    till: Till, ledger: Ledger, day: int, month: int, told: str
) -> None:
    with pytest.raises((InvalidValue, Refused), match=told):
        set_caps(ledger, by=saying(), day_micros=micros(day), month_micros=micros(month))


@pytest.mark.parametrize(
    ("amount", "told"),
    [("0", "above zero"), ("-1", "above zero"), ("0.001", "in whole coins"), ("10.005", "in whole coins")],
)
def test_only_whole_coins_can_be_charged(till: Till, amount: str, told: str) -> None:
    with pytest.raises((InvalidValue, Refused), match=told):
        threshold(till, amount)


def test_what_is_no_rhythm_code_or_token_is_refused_with_its_remedy(till: Till, ledger: Ledger) -> None:
    words: dict[str, Any] = {"every": "year", "from_date": date(2026, 4, 1)}
    with pytest.raises(InvalidValue, match="every 'year' is no rhythm; use day, week or month"):
        set_schedule(ledger, by=saying(), method="card-1", amount_micros=micros(20), **words)
    wrong: Any = "yearly"
    with pytest.raises(InvalidValue, match="'yearly' is no rhythm; use schedule or threshold"):
        end_rhythm(ledger, by=saying(), rhythm=wrong, reason="asked")
    with pytest.raises(InvalidValue, match="reason 'I do not want it' is not a code"):
        end_rhythm(ledger, by=saying(), rhythm="schedule", reason="I do not want it")
    with pytest.raises(InvalidValue, match="give its token"):
        bind_method(ledger, by=saying(), method="card-9", provider="stripe", reference_hash="")
    with pytest.raises(InvalidValue, match="beyond any balance"):
        set_threshold(ledger, by=saying(), method="card-1", amount_micros=micros(20), below_micros=micros(10_000_001))
    with pytest.raises(NotFound, match="no account 'nobody'"):
        bind_method(ledger, by=saying("nobody"), method="card-1", provider="stripe", reference_hash=HASH)


def test_a_closed_account_can_only_be_left_alone(till: Till, ledger: Ledger) -> None:
    threshold(till)
    till.orders(CloseAccount(account="a-1", channel="bank"))
    with pytest.raises(Refused, match="account 'a-1' is closed; nothing tops it up by itself"):
        monthly(till)
    with pytest.raises(Refused, match="is closed"):
        set_caps(ledger, by=saying(), day_micros=micros(1), month_micros=micros(1))
    assert unbind_method(ledger, by=saying(), method="card-1", reason="closed") > 0
    assert autopay_of(ledger, "a-1") == NONE_SET


def failure(**words: Any) -> ChargeFailed:
    given: dict[str, Any] = {
        "account": "a-1",
        "charge": "ap-1",
        "method": "card-1",
        "rhythm": "threshold",
        "amount_micros": micros(20),
        "attempt": 1,
        "why": "card_declined",
        "recorded_at": MOVED_IN,
    }
    return ChargeFailed(**(given | words))


def test_an_attempt_fails_once_however_often_it_is_told(till: Till, ledger: Ledger, writer: Any) -> None:
    first = record_failure(ledger, failure(again_at=MOVED_IN + timedelta(hours=1)))
    again = record_failure(ledger, failure(again_at=MOVED_IN + timedelta(hours=2), why="told-late"))
    assert (again.position, again.is_repeat) == (first.position, True)
    assert record_failure(ledger, failure(attempt=2)).position == first.position + 1
    till.opens("a-2")
    assert not record_failure(ledger, failure(account="a-2")).is_repeat
    assert head_of(writer)[0] == first.position + 3
