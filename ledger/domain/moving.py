"""Where one occupancy ends and the next begins: whose counters come next, and the event that a final bill rests on.

An occupancy is closed by the first reading at or after its end, or by its closing register, whichever comes first.
What is billed beyond its end by then, because the end was told later, is rebooked (`rebooking.py`).
"""

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from ledger.domain import intervals, occupancy, ticking
from ledger.domain.billed import BilledHistory
from ledger.domain.meter import Former, MeterState, Source
from ledger.domain.meter_life import OccupancyClosed
from ledger.rating.lines import FRESH

if TYPE_CHECKING:
    from ledger.domain.metering import Taker


def close_until(taker: "Taker", number: int, source: Source, *, is_apportioned: bool = True) -> None:
    """Close every occupancy before this one: from now on its counters are the state's.

    Their registers are those that the state has come to; `is_apportioned` tells that nobody read them.
    """
    while taker.metering.state.occupancy < number:
        ticking.close_occupancy(taker, taker.metering.state.occupancy, source)
        closed = taker.metering.state
        next_one = taker.supply.occupancies[closed.occupancy + 1]
        after = occupancy.with_counters(
            closed, occupancy.kept(closed), occupancy=closed.occupancy + 1, account=next_one.account
        )
        if closed.billed_to is not None and closed.register_milliwh is not None:
            after = msgspec.structs.replace(after, billed_to=max(closed.billed_to, next_one.occupied_from))
        append_closed(taker, closed.occupancy, after, source, is_apportioned=is_apportioned)


def append_closed(
    taker: "Taker",
    number: int,
    after: MeterState,
    source: Source,
    *,
    is_apportioned: bool,
    at_milliwh: int | None = None,
) -> None:
    """Draft the event that an occupancy is over; its counters are among those that the state keeps."""
    ended, successor = taker.supply.occupancies[number : number + 2]
    register = after.register_milliwh if at_milliwh is None else at_milliwh
    fact = OccupancyClosed(
        supply=taker.supply.code,
        account=ended.account,
        occupancy=number,
        occupied_from=ended.occupied_from,
        vacated_at=successor.occupied_from,
        closing_milliwh=register,
        is_apportioned=is_apportioned and register is not None,
        counters=occupancy.counters_of(after, number) or FRESH,
        successor=successor.account,
        source=source,
        state=after,
        recorded_at=taker.draft.recorded_at,
    )
    taker.append(fact, after)


def recall(taker: "Taker", reading: UUID, number: int, billed: BilledHistory | None) -> None:
    """Bring back the counters of an occupancy so long over that the state has dropped them.

    Raises intervals.HistoryNeeded where all that was billed must be looked up for that.
    """
    metering = taker.metering
    if occupancy.counters_of(metering.state, number) is not None:
        return
    if billed is None or billed.first_version > 1:
        raise intervals.HistoryNeeded(taker.supply.code, (reading,))
    derived = billed.counters(taker.draft.snapshot.prices_of(taker.supply))
    recalled = Former(number, derived.get(number, FRESH))
    former = (recalled, *metering.state.former)
    metering.state = msgspec.structs.replace(metering.state, former=former)
