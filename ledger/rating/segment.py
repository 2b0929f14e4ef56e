"""From a span of usage to atoms: the only place where energy is apportioned (design I4).

A span is cut at every local midnight (billing periods begin at one) and at the instants where the tariff or its
terms change. Energy is apportioned linearly over the span; each cut takes the floor of the cumulative share, so the
atoms always add up to the usage, and where a span was cut never changes what another cut got.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from ledger.rating.lines import Atom

_MICROSECOND = timedelta(microseconds=1)


def segment(
    *, start: datetime, end: datetime, energy_milliwh: int, zone: ZoneInfo, changes: Iterable[datetime] = ()
) -> list[Atom]:
    """Cut the usage of [start, end) into atoms, conserving every milliwatt-hour.

    `start` and `end` are UTC instants; `changes` are further instants to cut at. An empty span gives one atom that
    holds all the energy: a register that moved in no time is judged before it gets here.
    """
    cuts = sorted({cut for cut in (*_midnights(start, end, zone), *changes) if start < cut < end})
    bounds = [start, *cuts, end]
    length = (end - start) // _MICROSECOND
    atoms: list[Atom] = []
    taken = 0
    for begin, finish in pairwise(bounds):
        upto = energy_milliwh * ((finish - start) // _MICROSECOND) // length if length else energy_milliwh
        atoms.append(Atom(begin, finish, upto - taken, period_of(begin, zone)))
        taken = upto
    return atoms


def period_of(instant: datetime, zone: ZoneInfo) -> str:
    """Name the monthly billing period that holds an instant, by the local calendar: `2026-11`."""
    local = instant.astimezone(zone)
    # strftime takes four times as long, for every atom.
    return f"{local.year:04d}-{local.month:02d}"


def _midnights(start: datetime, end: datetime, zone: ZoneInfo) -> Iterable[datetime]:
    """Yield the local midnights inside (start, end) in UTC; days of 23 and 25 hours come out right.

    Where the clocks skip midnight itself, the day begins at the first instant after the gap.
    """
    day = start.astimezone(zone).date() + timedelta(days=1)
    while True:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        if midnight >= end:
            return
        yield midnight
        day += timedelta(days=1)
