"""An end of an occupancy that is told after usage beyond it was billed: rebooked as if it had been known (pure, I4).

That is the normal case: meters are polled every minute, and the move of noon is typed in the evening. The usage from
then on is rated again for the next occupant, with counters of its own, and the differences are one event.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ledger.domain import intervals, moving, occupancy, ticking
from ledger.domain.billed import BilledHistory, BilledSpan, Part, Underivable
from ledger.domain.correcting import differences
from ledger.domain.meter import Source
from ledger.domain.meter_life import OccupancyCorrected
from ledger.domain.postings import correction_postings
from ledger.domain.spell import Spell
from ledger.domain.supply import Supply, SupplyOccupied
from ledger.rating.lines import FRESH
from ledger.values.energy import text_from_milliwh

if TYPE_CHECKING:
    from ledger.domain.metering import Taker


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A register that was read at a boundary, and what the readings around it allow (milliwatt-hours)."""

    register_milliwh: int
    detail: str


def needed(taker: "Taker", begins: SupplyOccupied, billed: BilledHistory | None) -> BilledHistory:
    """Return the history if it is up to date and reaches beyond the boundary; raises intervals.HistoryNeeded."""
    if billed is None or billed.version < taker.metering.version or not billed.reaches(begins.occupied_from):
        raise intervals.HistoryNeeded(taker.supply.code, beyond=begins.occupied_from)
    return billed


def rebook(
    taker: "Taker",
    before: Supply,
    number: int,
    billed: BilledHistory,
    source: Source,
    *,
    register_milliwh: int | None,
) -> Contradiction | None:
    """Rebook what was billed from an occupancy's beginning on, and close the one before it.

    `before` is the supply point without that occupancy, whose prices the debits were rated by; the taker's has it.
    Returns what is wrong with a register that does not fit: then usage is apportioned. Raises Underivable where what
    was billed does not come out again; nothing is drafted then.
    """
    snapshot, state = taker.draft.snapshot, taker.metering.state
    begins = taker.supply.occupancies[number]
    derived = billed.counters(snapshot.prices_of(before))
    if not occupancy.agrees(state, derived):
        raise Underivable("the counters kept are not those that the debits lead to by today's prices")
    first = billed.first_beyond(begins.occupied_from)
    span = None if first is None else billed.usage(first)
    cut_milliwh, contradiction = _cut(taker, span, begins, register_milliwh)
    earlier = {} if first is None else billed.counters_before(first)
    used = {} if first is None else billed.usage_from(first)
    billed.rebook(Part(begins.occupied_from, number, begins.account), cut_milliwh=cut_milliwh)
    usages = {} if first is None else _changes(used, billed.usage_from(first))
    rated = billed.rerate(snapshot.prices_of(taker.supply))
    counters = occupancy.anew(state, billed.counters(snapshot.prices_of(taker.supply)))
    lines = differences(rated)
    fact = OccupancyCorrected(
        supply=taker.supply.code,
        account=begins.account,
        former=taker.supply.occupancies[number - 1].account,
        occupancy=number,
        occupied_from=begins.occupied_from,
        debit_version=0 if span is None else span.version,
        cut_milliwh=cut_milliwh,
        moved_milliwh=usages.get(begins.account, 0),
        usages=tuple(sorted(usages.items())),
        before=earlier.get(number - 1, FRESH),
        rerated=len(rated),
        lines=lines,
        amount_micros=sum(line.amount_micros for line in lines),
        postings=correction_postings(lines),
        source=source,
        state=occupancy.with_counters(state, counters, occupancy=number, account=begins.account),
        recorded_at=taker.draft.recorded_at,
    )
    taker.append(fact, fact.state)
    billed.version, billed.occupancy = taker.metering.version, number
    is_apportioned = register_milliwh is None or contradiction is not None
    if is_apportioned:
        at_milliwh = None if first is None else _register_at(taker, billed.usage(first), begins.occupied_from)
    else:
        at_milliwh = register_milliwh
    ticking.close_occupancy(taker, number - 1, source)
    state = taker.metering.state
    moving.append_closed(taker, number - 1, state, source, is_apportioned=is_apportioned, at_milliwh=at_milliwh)
    return contradiction


def rebook_time(taker: "Taker", before: Supply, number: int, billed: BilledHistory, source: Source) -> None:
    """Rebook the local days that were charged beyond an occupancy's end; no usage was billed beyond it.

    The occupancy before is left open: usage of its last days may still come. Raises Underivable.
    """
    snapshot, state = taker.draft.snapshot, taker.metering.state
    begins = taker.supply.occupancies[number]
    if not occupancy.agrees(state, billed.counters(snapshot.prices_of(before))):
        raise Underivable("the counters kept are not those that the debits lead to by today's prices")
    earlier = billed.counters(snapshot.prices_of(before))
    billed.rebook(Part(begins.occupied_from, number, begins.account), cut_milliwh=None)
    rated = billed.rerate(snapshot.prices_of(taker.supply))
    lines = differences(rated)
    counters = occupancy.anew(state, billed.counters(snapshot.prices_of(taker.supply)))
    fact = OccupancyCorrected(
        supply=taker.supply.code,
        account=begins.account,
        former=taker.supply.occupancies[number - 1].account,
        occupancy=number,
        occupied_from=begins.occupied_from,
        debit_version=rated[0][0].version if rated else 0,
        moved_milliwh=0,
        before=earlier.get(number - 1, FRESH),
        rerated=len(rated),
        lines=lines,
        amount_micros=sum(line.amount_micros for line in lines),
        postings=correction_postings(lines),
        source=source,
        state=occupancy.with_counters(state, counters, occupancy=state.occupancy, account=state.account),
        recorded_at=taker.draft.recorded_at,
    )
    taker.append(fact, fact.state)


def _changes(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return how much more energy each account has."""
    changes = {account: after.get(account, 0) - before.get(account, 0) for account in before.keys() | after.keys()}
    return {account: change for account, change in changes.items() if change}


def _cut(
    taker: "Taker", span: BilledSpan | None, begins: SupplyOccupied, register_milliwh: int | None
) -> tuple[int | None, Contradiction | None]:
    """Return what the span that straddles the boundary used before it, where the register that was read fits in."""
    if register_milliwh is None or span is None or span.opening_milliwh is None:
        return None, None
    if _ended_before(taker, span, begins.occupied_from) is not None:
        return None, None
    used = register_milliwh - span.opening_milliwh
    if used < 0 and taker.meter.modulus_milliwh:
        used += taker.meter.modulus_milliwh
    limit = span.figure.energy_milliwh if span.start < begins.occupied_from else 0
    if 0 <= used <= limit:
        return (used if limit else None), None
    register, opening = text_from_milliwh(register_milliwh), text_from_milliwh(span.opening_milliwh)
    detail = (
        f"register {register} kWh at {begins.occupied_from.isoformat()}, but {opening} kWh at"
        f" {span.start.isoformat()} and {text_from_milliwh(limit)} kWh used from then on until the next reading"
    )
    return None, Contradiction(register_milliwh, detail)


def _register_at(taker: "Taker", span: BilledSpan, instant: datetime) -> int | None:
    """Return the register at a boundary in a span, or before it."""
    if span.opening_milliwh is None:
        return None
    ended = _ended_before(taker, span, instant)
    if ended is not None:
        return ended.closing_milliwh
    used = sum(share.energy_milliwh for share in span.shares() if share.end <= instant)
    register = span.opening_milliwh + used
    return register % taker.meter.modulus_milliwh if taker.meter.modulus_milliwh else register


def _ended_before(taker: "Taker", span: BilledSpan, instant: datetime) -> Spell | None:
    """Return the spell that held at a boundary where the span is of a later one: no register compares across them."""
    spell = taker.supply.spell_at(instant)
    return spell if spell is not None and spell.ends is not None and span.start >= spell.ends else None
