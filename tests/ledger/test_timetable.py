"""Timetables: when supplies are off, whose timetable counts, and the file that says it."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from ledger.domain.local_hours import WEEKDAYS, LocalHours
from ledger.domain.timetable import Timetable, TimetableSet, off_time, timetable_at
from ledger.domain.timetable_file import WrongTimetable, read_timetable, timetable_text

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTS = LocalHours((*WEEKDAYS[:4], "sunday"), 23 * 60, 6 * 60)
DORMITORY = Timetable(zone=BERLIN.key, off=(NIGHTS,))
DOCS = Path(__file__).parents[2] / "docs" / "switching.md"


def local(*when: int) -> datetime:
    year, month, day, hour, minute = (*when, 0)[:5]
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


def is_off(timetable: Timetable, *when: int) -> bool:
    return off_time(timetable, local(*when)) is not None


def test_supplies_are_off_from_the_first_minute_to_the_last_over_midnight() -> None:
    # 1 July 2026 is a Wednesday.
    assert [is_off(DORMITORY, 2026, 7, 1, hour, minute) for hour, minute in ((22, 59), (23, 0))] == [False, True]
    assert [is_off(DORMITORY, 2026, 7, 2, hour, minute) for hour, minute in ((5, 59), (6, 0))] == [True, False]
    assert off_time(DORMITORY, local(2026, 7, 1, 23)) == (local(2026, 7, 1, 23), local(2026, 7, 2, 6))
    # Friday and Saturday evenings are nobody's.
    assert not is_off(DORMITORY, 2026, 7, 3, 23, 30)


def test_on_a_holiday_only_what_names_holidays_begins_and_on_named_dates_nothing() -> None:
    unity = date(2025, 10, 3)
    assert unity.weekday() == 4
    fridays = msgspec.structs.replace(DORMITORY, off=(LocalHours(("friday",), 22 * 60, 24 * 60),))
    assert is_off(fridays, 2025, 10, 3, 23)
    assert not is_off(msgspec.structs.replace(fridays, country="DE"), 2025, 10, 3, 23)
    both = LocalHours(("friday", "holiday"), 22 * 60, 24 * 60)
    assert is_off(msgspec.structs.replace(fridays, country="DE", off=(both,)), 2025, 10, 3, 23)
    assert not is_off(msgspec.structs.replace(fridays, on_dates=(unity,)), 2025, 10, 3, 23)


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 10, 25)])
def test_the_shorter_reading_counts_where_the_clocks_are_changed(day: date) -> None:
    """02:30 does not exist in March and comes twice in October: nobody is off for longer than the file says."""
    times = LocalHours(("sunday",), 2 * 60 + 30, 5 * 60)
    found = off_time(Timetable(zone=BERLIN.key, off=(times,)), local(day.year, day.month, day.day, 4))
    assert found is not None
    assert found.ends - found.begins <= timedelta(hours=2, minutes=30)
    assert found.ends == local(day.year, day.month, day.day, 5)


def test_the_most_particular_timetable_counts() -> None:
    always = Timetable(zone="UTC", off=(LocalHours(WEEKDAYS, 0, 24 * 60),))
    never = Timetable(zone="UTC", off=())
    now = local(2026, 7, 1, 12)

    def told(timetable: Timetable | None, **whose: str) -> TimetableSet:
        return TimetableSet(
            site="north", effective_from=now, timetable=timetable, operator="li", recorded_at=now, **whose
        )

    history = [told(always), told(never, account_class="warden"), told(always, supply="s-2")]
    found = {
        (supply, account_class): timetable_at(history, now, supply=supply, account_class=account_class)
        for supply in ("s-1", "s-2")
        for account_class in ("student", "warden")
    }
    assert found == {
        ("s-1", "student"): always,
        ("s-1", "warden"): never,
        ("s-2", "student"): always,
        ("s-2", "warden"): always,
    }
    withdrawn = [*history, told(None, account_class="warden")]
    assert timetable_at(withdrawn, now, supply="s-1", account_class="warden") == always
    assert timetable_at(history, now - timedelta(seconds=1), supply="s-1") is None


def test_a_file_is_read_as_what_it_was_written_from() -> None:
    whole = Timetable(
        zone="Asia/Shanghai",
        off=(NIGHTS, LocalHours(("holiday",), 0, 24 * 60)),
        on_dates=(date(2026, 6, 20),),
        country="CN",
        holidays=(date(2026, 5, 4),),
    )
    assert read_timetable(timetable_text(whole)) == whole


def test_every_error_of_a_file_is_told_at_once() -> None:
    with pytest.raises(WrongTimetable) as raised:
        read_timetable(
            'zone = "Nowhere"\ncolour = 1\non_dates = ["x"]\n[[off]]\ndays = ["someday"]\ntimes = ["23-6"]\n'
        )
    assert len(raised.value.errors) == 5


def test_the_documentation_s_timetables_are_read() -> None:
    chapter = DOCS.read_text().partition("## Timetables")[2].partition("\n## ")[0]
    examples = re.findall(r"```toml\n(.*?)```", chapter, flags=re.DOTALL)
    assert len(examples) >= 2
    for example in examples:
        read_timetable(example)
