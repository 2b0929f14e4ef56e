"""When credit runs out, by what an account itself used in each hour of the week.

The hours of a week are counted in UTC from a Monday: an hour of the week is the same hour of the local week all year,
but for the clocks' own change. Amounts are micro-units; a habit is a mean of what an hour of the week cost, in which
each week counts half of the one before it in the mean so far: habits change.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

HOURS_PER_WEEK = 7 * 24
# A habit is not known before so many hours of it are.
LEAST_HOURS = 24
FURTHEST = timedelta(days=400)
# What a gap in the readings tells of habits: no more than its last fortnight.
LONGEST_SPAN_HOURS = 14 * 24

_HOUR = timedelta(hours=1)
_MICROSECOND = timedelta(microseconds=1)
# A Monday.
_FIRST = datetime(1970, 1, 5, tzinfo=UTC)


class Habit(NamedTuple):
    """An hour of the week: the newest such hour, what it cost so far, and the mean of those before it.

    The mean is −1 where there were none.
    """

    hour: int
    cost_micros: int
    mean_micros: int


def hour_of(instant: datetime) -> int:
    """Return the number of an instant's hour since a Monday long ago."""
    return (instant - _FIRST) // _HOUR


def costs_by_hour(start: datetime, end: datetime, cost_micros: int) -> Iterator[tuple[int, int]]:
    """Cut the cost of a span at the hours, in proportion to time, conserving every micro-unit.

    Of a very long span only the last fortnight's part is told.
    """
    if end <= start:
        yield hour_of(end), cost_micros
        return
    last = hour_of(end - _MICROSECOND)
    if start >= _FIRST + last * _HOUR:
        # Nearly every span: meters are read more often than hours pass.
        yield last, cost_micros
        return
    first = max(hour_of(start), last - LONGEST_SPAN_HOURS + 1)
    length = (end - start) // _MICROSECOND
    for hour in range(first, last + 1):
        begins = max(start, _FIRST + hour * _HOUR)
        ends = min(end, _FIRST + (hour + 1) * _HOUR)
        yield hour, _upto(ends, start, length, cost_micros) - _upto(begins, start, length, cost_micros)


def taken_in(habit: Habit | None, hour: int, cost_micros: int) -> Habit:
    """Add a cost to an hour of the week; what comes later than the next such hour tells nothing any more."""
    if habit is None:
        return Habit(hour, cost_micros, -1)
    if hour < habit.hour:
        return habit
    if hour == habit.hour:
        return habit._replace(cost_micros=habit.cost_micros + cost_micros)
    return Habit(hour, cost_micros, _mean(habit))


def expected_micros(habit: Habit, hour_now: int) -> int:
    """Return what an hour of the week is expected to cost; the hour that it is now is not over yet."""
    if habit.hour < hour_now or habit.mean_micros < 0:
        return _mean(habit)
    return habit.mean_micros


def runs_out_at(habits: Mapping[int, Habit], spare_micros: int, now: datetime) -> datetime | None:
    """Return when so much credit above the line is used up; None where that is not known, or too far off.

    `habits` are by hour of the week, 0 to 167. An hour that is not known counts as the mean of those that are.
    """
    if spare_micros <= 0:
        return now
    if len(habits) < LEAST_HOURS:
        return None
    this_hour = hour_of(now)
    expected = {slot: expected_micros(habit, this_hour) for slot, habit in habits.items()}
    usual = sum(expected.values()) // len(expected)
    week = [expected.get((this_hour + hour) % HOURS_PER_WEEK, usual) for hour in range(HOURS_PER_WEEK)]
    each_week = sum(week)
    if each_week <= 0:
        return None
    weeks, left = divmod(spare_micros, each_week)
    hours = weeks * HOURS_PER_WEEK
    for cost in week:
        if left < cost:
            break
        left -= cost
        hours += 1
    if hours >= FURTHEST // _HOUR:
        return None
    return now + hours * _HOUR


def _mean(habit: Habit) -> int:
    return habit.cost_micros if habit.mean_micros < 0 else (habit.mean_micros + habit.cost_micros + 1) // 2


def _upto(instant: datetime, start: datetime, length: int, cost_micros: int) -> int:
    return cost_micros * ((instant - start) // _MICROSECOND) // length
