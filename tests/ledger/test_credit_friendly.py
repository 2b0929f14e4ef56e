"""Friendly hours and days by the clocks of the site."""

from datetime import UTC, date, datetime

import pytest

from ledger.domain.credit.friendly import friendly_at, friendly_end_after, local_week
from ledger.domain.credit.policy import FriendlyHours, FriendlyTimes
from ledger.domain.local_hours import DayName

WORKDAYS: tuple[DayName, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
NIGHTS = FriendlyHours(WORKDAYS, 18 * 60, 9 * 60)
WEEKEND = FriendlyHours(("saturday", "sunday"), 0, 24 * 60)
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_night_reaches_into_the_next_morning() -> None:
    times = FriendlyTimes(hours=(NIGHTS,))
    found = friendly_at(times, "Asia/Shanghai", at("2026-03-04T03:00+08:00"))
    assert found.until == at("2026-03-04T09:00+08:00")
    assert found.next_from == at("2026-03-04T18:00+08:00")
    assert friendly_at(times, "Asia/Shanghai", at("2026-03-04T09:00+08:00")).until is None
    assert friendly_at(times, "Asia/Shanghai", at("2026-03-04T18:00+08:00")).until == at("2026-03-05T09:00+08:00")


def test_times_that_touch_are_one() -> None:
    times = FriendlyTimes(hours=(NIGHTS, WEEKEND))
    friday_night = friendly_at(times, BERLIN, at("2026-03-06T20:00+01:00"))
    assert friday_night.until == at("2026-03-09T00:00+01:00")


@pytest.mark.parametrize(
    ("hours", "end"),
    [((60, 210), "2026-03-29T03:30+02:00"), ((150, 360), "2026-03-29T06:00+02:00")],
)
def test_the_day_the_clocks_go_forward_ends_its_friendly_hours_by_the_clock(hours: tuple[int, int], end: str) -> None:
    times = FriendlyTimes(hours=(FriendlyHours(("sunday",), *hours),))
    assert friendly_at(times, BERLIN, at("2026-03-29T03:00+02:00")).until == at(end)


def test_an_hour_that_the_clocks_repeat_is_friendly_to_its_later_end() -> None:
    times = FriendlyTimes(hours=(FriendlyHours(("sunday",), 0, 150),))
    assert friendly_at(times, BERLIN, at("2026-10-25T02:10+01:00")).until == at("2026-10-25T02:30+01:00")


def test_a_holiday_has_hours_of_its_own_and_a_date_is_friendly_whole() -> None:
    times = FriendlyTimes(
        hours=(FriendlyHours(("holiday",), 8 * 60, 20 * 60),),
        country="CN",
        holidays=(date(2026, 5, 4),),
        dates=(date(2026, 12, 24),),
    )
    shanghai = "Asia/Shanghai"
    assert friendly_at(times, shanghai, at("2026-10-01T12:00+08:00")).until == at("2026-10-01T20:00+08:00")
    assert friendly_at(times, shanghai, at("2026-05-04T12:00+08:00")).until == at("2026-05-04T20:00+08:00")
    assert friendly_at(times, shanghai, at("2026-12-24T23:00+08:00")).until == at("2026-12-25T00:00+08:00")
    assert friendly_at(times, shanghai, at("2026-11-12T12:00+08:00")).until is None


def test_the_end_of_the_next_friendly_time_is_known_by_day() -> None:
    times = FriendlyTimes(hours=(NIGHTS,))
    assert friendly_end_after(times, BERLIN, at("2026-03-04T12:00+01:00")) == at("2026-03-05T09:00+01:00")
    assert friendly_end_after(FriendlyTimes(), BERLIN, at("2026-03-04T12:00+01:00")) is None


def test_a_week_begins_on_monday_by_the_clocks_of_the_site() -> None:
    assert local_week("Asia/Shanghai", at("2026-11-22T16:00+00:00")) == "2026-W48"
    assert local_week("UTC", at("2026-11-22T16:00+00:00")) == "2026-W47"
