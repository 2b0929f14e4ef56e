"""What the meter stream takes in of a supply point's life: register bases, occupancies, resolved holds (facts).

Each carries the full state after it, as every event of a meter stream does.
"""

from typing import Literal
from uuid import UUID

from ledger.domain.event import Fact, Posting, fact_type
from ledger.domain.meter import Difference, MeterState, Source
from ledger.rating.lines import Counters
from ledger.wire import Instant

BaseChange = Literal["meter-installed", "meter-removed", "multiplier-changed"]
Outcome = Literal["billed", "corrected", "rebased", "nothing", "dismissed"]


@fact_type("meter.base-changed/1")
class BaseChanged(Fact, frozen=True, kw_only=True):
    """From `changed_at` registers count from another base: nothing is compared across it (milliwatt-hours).

    `closing_milliwh` is the register billed last, `opening_milliwh` the new base; None where there is none.
    """

    supply: str
    meter: str
    change: BaseChange
    changed_at: Instant
    closing_milliwh: int | None = None
    opening_milliwh: int | None = None
    multiplier: str = "1"
    source: Source
    state: MeterState


@fact_type("meter.occupancy-closed/1")
class OccupancyClosed(Fact, frozen=True, kw_only=True):
    """All that an occupancy used is billed: what its final bill rests on.

    `closing_milliwh` is the register at `vacated_at`, read then or apportioned, None for intervals. `counters` are
    the occupancy's last; late usage and corrections may still change them. Its successor's begin anew.
    """

    supply: str
    account: str
    occupancy: int
    occupied_from: Instant
    vacated_at: Instant
    closing_milliwh: int | None = None
    is_apportioned: bool = False
    counters: Counters
    successor: str
    source: Source
    state: MeterState


@fact_type("meter.occupancy-corrected/1")
class OccupancyCorrected(Fact, frozen=True, kw_only=True):
    """Usage that was billed beyond the end of an occupancy is rebooked to the next, as if its end had been known.

    From `occupied_from` on `account` pays, not `former`; `moved_milliwh` were billed since. The debit that straddles
    the instant is cut there: it had used `cut_milliwh` where the register was read, else that is apportioned.
    `rerated` debits from `debit_version` on were rated again in their order; `before` are the former's counters
    there, `lines` the differences. `usages` are the milliwatt-hours that each account has more: a register that was
    read moves what had been apportioned between two earlier occupants, too.
    """

    supply: str
    account: str
    former: str
    occupancy: int
    occupied_from: Instant
    debit_version: int
    cut_milliwh: int | None = None
    moved_milliwh: int
    before: Counters
    rerated: int
    lines: list[Difference]
    amount_micros: int
    postings: list[Posting]
    source: Source
    state: MeterState
    usages: tuple[tuple[str, int], ...] = ()


@fact_type("meter.hold-settled/1")
class HoldSettled(Fact, frozen=True, kw_only=True):
    """An operator's decision on a held reading took effect, or changes nothing: `detail` says which and why.

    `billed`: the debit before this event bills it. `corrected`: the correction before this event. `rebased`: the
    register goes on from it, what was used before it is billed to nobody.
    """

    supply: str
    meter: str
    reading: UUID
    outcome: Outcome
    detail: str
    operator: str
    reason: str
    source: Source
    state: MeterState


@fact_type("meter.serial-confirmed/1")
class SerialConfirmed(Fact, frozen=True, kw_only=True):
    """The meter reads back its own serial again, after another one."""

    supply: str
    meter: str
    read_at: Instant
    source: Source
    state: MeterState
