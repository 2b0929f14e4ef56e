"""Which readings a month still waits for: an occupied supply point must be billed to the month's end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.domain.meter import MeterState
from ledger.domain.supply import Supply

_INSTANT_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Missing:
    """A supply point whose readings do not reach a month's end; `reached` is None where there are none at all."""

    supply: str
    account: str
    reached: datetime | None


def missing_reading(
    supply: Supply, *, state: MeterState, seen_at: datetime | None, begins: datetime, ends: datetime
) -> Missing | None:
    """Return what is missing of a supply point for the month [begins, ends); None where nothing is.

    A register that was read without usage since (`seen_at`) has reached that time. Intervals must leave no gap.
    """
    occupancy = supply.occupancy_at(ends - _INSTANT_BEFORE)
    if supply.meter is None or occupancy is None or not occupancy.account or supply.meter.installed_at >= ends:
        return None
    since = max(begins, occupancy.occupied_from, supply.meter.installed_at)
    if supply.meter.measures == "interval":
        reached = covered_from(state.covered, since)
    else:
        reached = max((at for at in (state.billed_to, seen_at) if at is not None), default=None)
    return None if reached is not None and reached >= ends else Missing(supply.code, occupancy.account, reached)


def covered_from(covered: tuple[tuple[int, int], ...], since: datetime) -> datetime | None:
    """Return how far intervals go on without a gap from an instant; None where none covers it."""
    start_s = since.timestamp()
    for begin, end in covered:
        if begin <= start_s < end:
            return since + timedelta(seconds=end - start_s)
    return None


def missing_readings(
    supplies: Mapping[str, Supply],
    *,
    states: Mapping[str, MeterState],
    seen: Mapping[str, datetime],
    begins: datetime,
    ends: datetime,
) -> list[Missing]:
    """Return what is missing of all supply points, by code."""
    found = (
        missing_reading(
            supply,
            state=states.get(code, MeterState()),
            seen_at=seen.get(code),
            begins=begins,
            ends=ends,
        )
        for code, supply in sorted(supplies.items())
    )
    return [one for one in found if one is not None]
