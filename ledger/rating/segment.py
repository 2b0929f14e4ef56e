"""From a span of usage to atoms: the only place where energy is apportioned (design I4).

A span is cut at every local midnight (billing periods begin at one), at the boundaries of time-of-use periods, and at
the instants where the tariff, its terms or the occupancy change. Energy is apportioned linearly over the span; each
cut takes the floor of the cumulative share, so the atoms always add up to the usage, and where a span was cut never
changes what another cut got.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ledger.rating.days import LocalDays, Slot, local_days
from ledger.rating.lines import Atom

_MICROSECOND = timedelta(microseconds=1)


class Rule(NamedTuple):
    """From an instant on, days are cut in this way: a tariff version's zone and calendar."""

    starts: datetime
    days: LocalDays


def segment(
    *,
    start: datetime,
    end: datetime,
    energy_milliwh: int,
    zone: ZoneInfo,
    changes: Iterable[datetime] = (),
    days: LocalDays | None = None,
) -> list[Atom]:
    """Cut the usage of [start, end) into atoms, conserving every milliwatt-hour.

    `start` and `end` are UTC instants; `changes` are further instants to cut at; `days` is the tariff's calendar,
    without which no time-of-use period cuts. An empty span gives one atom that holds all the energy: a register that
    moved in no time is judged before it gets here.
    """
    days = days or local_days(zone)
    slot = days.slot_at(start)
    inside = [cut for cut in changes if start < cut < end]
    if end <= slot.end and not inside:
        return [Atom(start, end, energy_milliwh, slot.period, slot.time_of_use)]
    pieces = cut_at(clipped(days.slots(start, end), start, end), inside)
    return apportioned(pieces, energy_milliwh)


def segment_by(
    rules: Sequence[Rule], *, start: datetime, end: datetime, energy_milliwh: int
) -> list[tuple[int, Atom]]:
    """Cut usage where each of several tariff versions says, in force from its instant on (ascending).

    Returns each atom with the number of its rule. The first rule must be in force at the span's start.
    """
    pieces, numbers = pieces_by(rules, start=start, end=end)
    return list(zip(numbers, apportioned(pieces, energy_milliwh), strict=True))


def pieces_by(rules: Sequence[Rule], *, start: datetime, end: datetime) -> tuple[list[Slot], list[int]]:
    """Return the pieces that a span is cut into by rules, and the number of each one's rule."""
    pieces: list[Slot] = []
    numbers: list[int] = []
    for number, rule in enumerate(rules):
        begins = max(start, rule.starts)
        ends = min(end, rules[number + 1].starts) if number + 1 < len(rules) else end
        if begins < ends or (begins == start == end):
            found = clipped(rule.days.slots(begins, ends), begins, ends)
            pieces += found
            numbers += [number] * len(found)
    return pieces, numbers


def clipped(slots: Sequence[Slot], start: datetime, end: datetime) -> list[Slot]:
    """Return slots that a span touches, the first and the last cut down to it."""
    return [
        slot._replace(start=max(slot.start, start), end=min(slot.end, end))
        if slot.start < start or slot.end > end
        else slot
        for slot in slots
    ]


def cut_at(pieces: Sequence[Slot], instants: Iterable[datetime]) -> list[Slot]:
    """Cut pieces at further instants."""
    cuts = sorted(set(instants))
    found: list[Slot] = []
    for piece in pieces:
        inside = [cut for cut in cuts if piece.start < cut < piece.end]
        bounds = [piece.start, *inside, piece.end]
        found += [piece._replace(start=begin, end=finish) for begin, finish in pairwise(bounds)]
    return found


def apportioned(pieces: Sequence[Slot], energy_milliwh: int) -> list[Atom]:
    """Share energy out over contiguous pieces by their lengths, conserving every milliwatt-hour."""
    shares = shared(pieces, energy_milliwh)
    return [
        Atom(piece.start, piece.end, share, piece.period, piece.time_of_use)
        for piece, share in zip(pieces, shares, strict=True)
    ]


def shared(pieces: Sequence[Slot], quantity: int) -> list[int]:
    """Share a quantity out by the floor of the cumulative share of the whole span."""
    start, length = pieces[0].start, (pieces[-1].end - pieces[0].start) // _MICROSECOND
    shares: list[int] = []
    taken = 0
    for piece in pieces:
        upto = quantity * ((piece.end - start) // _MICROSECOND) // length if length else quantity
        shares.append(upto - taken)
        taken = upto
    return shares


def period_of(instant: datetime, zone: ZoneInfo) -> str:
    """Name the monthly billing period that holds an instant, by the local calendar: `2026-11`."""
    local = instant.astimezone(zone)
    return f"{local.year:04d}-{local.month:02d}"
