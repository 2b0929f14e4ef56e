"""Whose counters: blocks, allowances and minimums belong to an occupancy, and so do its counters (pure).

The current occupancy's are the state's own; those of the last few before it are kept for late usage. An older one's
are worked out from the stream again, where they are ever needed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ledger.domain.meter import Former, MeterState
from ledger.domain.supply import Supply
from ledger.rating.lines import FRESH, Counters
from ledger.rating.quantities import Quantities, less, more, part_of

# A room that changes hands every few weeks, whose files come in a month late.
FORMERS_KEPT = 4

_MICROSECOND = timedelta(microseconds=1)


class Share(NamedTuple):
    """What an occupancy used of a span."""

    occupancy: int
    start: datetime
    end: datetime
    energy_milliwh: int
    quantities: Quantities | None = None


def counters_of(state: MeterState, occupancy: int) -> Counters | None:
    """Return an occupancy's counters; None where they are not kept any more."""
    if occupancy == state.occupancy:
        return state.counters
    missing = FRESH if occupancy > state.occupancy else None
    return next((row.counters for row in state.former if row.occupancy == occupancy), missing)


def kept(state: MeterState) -> dict[int, Counters]:
    """Return every occupancy's counters that the state holds."""
    return {**{row.occupancy: row.counters for row in state.former}, state.occupancy: state.counters}


def agrees(state: MeterState, derived: Mapping[int, Counters]) -> bool:
    """Tell whether counters worked out anew are those that the state holds."""
    return all(derived.get(number, FRESH) == counters for number, counters in kept(state).items())


def anew(state: MeterState, derived: Mapping[int, Counters]) -> dict[int, Counters]:
    """Return the counters that the state is to hold by what was worked out anew: fresh ones where nothing is left.

    Only for counters that agreed with the state's before something was replaced.
    """
    return {**dict.fromkeys(kept(state), FRESH), **derived}


def with_counters(state: MeterState, counters: Mapping[int, Counters], *, occupancy: int, account: str) -> MeterState:
    """Return the state with an occupancy as the current one, and these counters of it and of others.

    Of those before it the last are kept; of those after it, which only time has charged yet, all.
    """
    former = [Former(number, counters[number]) for number in sorted(counters) if number < occupancy]
    coming = [Former(number, counters[number]) for number in sorted(counters) if number > occupancy]
    return msgspec.structs.replace(
        state,
        account=account,
        occupancy=occupancy,
        counters=counters.get(occupancy, FRESH),
        former=(*former[-FORMERS_KEPT:], *coming),
    )


def with_share(state: MeterState, number: int, counters: Counters) -> MeterState:
    """Return the state with an occupancy's counters, the current one's or another's whose usage or days these are."""
    if number == state.occupancy:
        return msgspec.structs.replace(state, counters=counters)
    known = {**kept(state), number: counters}
    return with_counters(state, known, occupancy=state.occupancy, account=state.account)


def energy_until(instant: datetime, *, start: datetime, end: datetime, energy_milliwh: int) -> int:
    """Apportion the energy of a span up to an instant in it, as `segment` does: the floor of the linear share."""
    length = (end - start) // _MICROSECOND
    return energy_milliwh * ((instant - start) // _MICROSECOND) // length if length else energy_milliwh


def shares(
    bounds: Sequence[tuple[datetime, int]],
    *,
    start: datetime,
    end: datetime,
    energy_milliwh: int,
    quantities: Quantities | None = None,
) -> list[Share]:
    """Cut the usage of [start, end) where occupancies begin, conserving every milliwatt-hour.

    `bounds` are (from when, number), ascending; the first one counts from the start at the latest. An occupancy of
    which the span holds nothing is left out; where there is no energy at all, the first has the whole span.
    Registers by period are cut one by one, and a demand is the last one's.
    """
    number = bounds[0][1]
    inside = [(begins, later) for begins, later in bounds if start < begins < end]
    for begins, one in bounds:
        if begins <= start:
            number = one
    if not inside or not energy_milliwh:
        return [Share(number, start, end, energy_milliwh, quantities)]
    if quantities is not None:
        return _shares_of(quantities, [*inside, (end, number)], number, start, end, energy_milliwh)
    found: list[Share] = []
    begin, taken = start, 0
    for finish, following in (*inside, (end, number)):
        upto = energy_until(finish, start=start, end=end, energy_milliwh=energy_milliwh)
        if upto > taken:
            found.append(Share(number, begin, finish, upto - taken))
        begin, taken, number = finish, upto, following
    return found


def _shares_of(
    quantities: Quantities,
    cuts: Sequence[tuple[datetime, int]],
    number: int,
    start: datetime,
    end: datetime,
    energy_milliwh: int,
) -> list[Share]:
    """Cut everything that was metered, each by the floor of its cumulative share."""
    length = (end - start) // _MICROSECOND
    found: list[Share] = []
    begin, taken, used = start, 0, Quantities()
    for finish, following in cuts:
        until = (finish - start) // _MICROSECOND
        upto = part_of(quantities, until, length)
        energy = sum(upto.periods.values()) if upto.periods else energy_milliwh * until // length
        part = less(upto, used)
        is_last = finish == end
        if is_last:
            part = msgspec.structs.replace(part, demand_w=quantities.demand_w)
        if energy > taken or part.reactive_millivarh or part.apparent_millivah:
            found.append(Share(number, begin, finish, energy - taken, part))
        elif is_last and found:
            found[-1] = found[-1]._replace(quantities=more(found[-1].quantities, part))
        begin, taken, used, number = finish, energy, upto, following
    return found


def bounds_of(supply: Supply) -> list[tuple[datetime, int]]:
    """Return from when each of a supply point's occupancies is."""
    return [(row.occupied_from, number) for number, row in enumerate(supply.occupancies)]
