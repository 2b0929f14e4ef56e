"""Local days cut into slots: spans within one local day and one time-of-use period, by the clocks of a zone.

Days of 23 and 25 hours come out right: a period holds by what the wall clock shows, so one that lies in the hour
that is repeated holds twice. Where the clocks skip midnight itself, the day begins at the first instant after it.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.rating.calendar import Calendar, DayPlan, period_at

_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)
# Of days of UTC; a year of them is asked for again and again where usage is replayed.
_DAYS_REMEMBERED = 1_000


class Slot(NamedTuple):
    """A half-open span in UTC, its billing period (`2026-11`), its time-of-use period, and its local day."""

    start: datetime
    end: datetime
    period: str
    time_of_use: str
    day: date


class LocalDays:
    """The slots of a zone and a calendar, remembered by day of UTC."""

    def __init__(self, zone: ZoneInfo, calendar: Calendar | None = None) -> None:
        self.zone = zone
        self.calendar = calendar
        self._slots: dict[int, tuple[tuple[datetime, ...], tuple[Slot, ...]]] = {}

    def slot_at(self, instant: datetime) -> Slot:
        """Return the slot that holds an instant in UTC."""
        ordinal = instant.toordinal()
        ends, slots = self._slots.get(ordinal) or self._remember(ordinal)
        return slots[bisect_right(ends, instant)]

    def slots(self, start: datetime, end: datetime) -> list[Slot]:
        """Return the slots that a span in UTC touches, whole, in order; the one at its start where it is empty."""
        slot = self.slot_at(start)
        found = [slot]
        while slot.end < end:
            slot = self.slot_at(slot.end)
            found.append(slot)
        return found

    def midnight(self, day: date) -> datetime:
        """Return the instant in UTC at which a local day begins."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def _remember(self, ordinal: int) -> tuple[tuple[datetime, ...], tuple[Slot, ...]]:
        """Work out the slots that a day of UTC touches, and their ends."""
        begin = datetime.fromordinal(ordinal).replace(tzinfo=UTC)
        day = begin.astimezone(self.zone).date()
        found: list[Slot] = []
        while True:
            start, end = self.midnight(day), self.midnight(day + _DAY)
            if start >= begin + _DAY:
                break
            # A day that the zone left out (Apia, 30 December 2011) has no length.
            found += self._cut(day, start, end) if start < end else []
            day += _DAY
        if len(self._slots) >= _DAYS_REMEMBERED:
            self._slots.clear()
        slots = tuple(slot for slot in found if slot.end > begin)
        known = self._slots[ordinal] = (tuple(slot.end for slot in slots), slots)
        return known

    def _cut(self, day: date, start: datetime, end: datetime) -> list[Slot]:
        period = f"{day.year:04d}-{day.month:02d}"
        if self.calendar is None:
            return [Slot(start, end, period, "", day)]
        plan = self.calendar.plan(day)
        slots: list[Slot] = []
        for cut in self._cuts(day, plan, start, end):
            name = period_at(plan, self._minute(cut))
            if not slots:
                slots.append(Slot(start, end, period, name, day))
            elif slots[-1].time_of_use != name:
                slots[-1] = slots[-1]._replace(end=cut)
                slots.append(Slot(cut, end, period, name, day))
        return slots

    def _minute(self, instant: datetime) -> int:
        local = instant.astimezone(self.zone)
        return local.hour * 60 + local.minute

    def _cuts(self, day: date, plan: DayPlan, start: datetime, end: datetime) -> list[datetime]:
        """Return the instants at which the period may change: the plan's, in both passes of a repeated hour."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        cuts = {start}
        for minute, _ in plan:
            wall = midnight.replace(hour=minute // 60, minute=minute % 60)
            cuts |= {wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)}
        cuts |= self._transition(start, end)
        return sorted(cut for cut in cuts if start <= cut < end)

    def _transition(self, start: datetime, end: datetime) -> set[datetime]:
        """Return the instant inside a day at which the clocks are changed, to the second; most days have none."""
        before = start.astimezone(self.zone).utcoffset()
        if (end - _MICROSECOND).astimezone(self.zone).utcoffset() == before:
            return set()
        low, high = 0, int((end - start).total_seconds())
        while high - low > 1:
            middle = (low + high) // 2
            if (start + timedelta(seconds=middle)).astimezone(self.zone).utcoffset() == before:
                low = middle
            else:
                high = middle
        return {start + timedelta(seconds=high)}


@lru_cache(maxsize=64)
def local_days(zone: ZoneInfo) -> LocalDays:
    """Return the days of a zone without a calendar."""
    return LocalDays(zone)
