"""What a supply point consumed: debits and held readings, each with the full state after it.

Written only by the owner of the concentrator's partition. The newest event of a stream is therefore all that pricing
needs to load, however long the history (design §3); folding from the first must give the same (I6).
"""

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from ledger.domain.event import Fact, Posting, fact_type
from ledger.domain.supply import Registers
from ledger.rating.lines import Counters, Line
from ledger.rating.quantities import Quantities
from ledger.wire import Instant

HoldReason = Literal[
    "backwards",
    "leap",
    "in-the-future",
    "out-of-range",
    "conflicting",
    "overlapping",
    "unoccupied",
    "no-terms",
    "crossed-meter",
    "registers-disagree",
    "register-missing",
    "unknown-period",
]


class Source(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The message that something came in: where it stands in Kafka and when it was published (broker's time).

    A sweep has its collector and sequence, a tick of the calendar the local date that had ended.
    """

    partition: int
    message_offset: int
    published_at: Instant
    collector: str = ""
    sequence: int = 0
    local_date: date | None = None


class Episode(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An open run of bad readings of a register: why, and the worst of them (design I8).

    `allowance_milliwh` is what a leap's episode lets pass at most, however long it lasts; −1 where it is no leap.
    `is_dismissed`: an operator dismissed its reading. It goes on limiting what may pass until a reading is billed,
    for a wrong register that stays must not become believable by being dismissed.
    """

    reason: str
    reading: UUID
    opened_at: Instant
    register_milliwh: int
    allowance_milliwh: int
    is_dismissed: bool = False


class Former(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The counters of another occupancy than the current one; `occupancy` is its number from 0.

    One that is over, for its late usage, or one that time charged before a reading closed the current one.
    """

    occupancy: int
    counters: Counters


class MeterState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """All that pricing must remember of a supply point.

    `billed_to` and `register_milliwh` are the last good reading's time and value; `covered` are the half-open
    spans of intervals billed so far, merged, as epoch seconds; `account` owns the counters.

    `supply_version` is how far the Supply stream is taken in. `occupancy` is the number, from 0, of the one that owns
    the counters; `former` are the counters of the last few before it. `read_back` is a serial that the meter gave
    which is not its own, empty where there is no such doubt. `registers` are the last good values of the registers
    beside the total. `charged_to` is the last local date whose time charges are posted; later dates without any leave
    it where it is. `token_count` is the newest token's count, where the supply point is billed by token.
    """

    meter: str = ""
    account: str = ""
    billed_to: Instant | None = None
    register_milliwh: int | None = None
    counters: Counters = Counters()
    covered: tuple[tuple[int, int], ...] = ()
    episode: Episode | None = None
    supply_version: int = 0
    occupancy: int = 0
    former: tuple[Former, ...] = ()
    read_back: str = ""
    registers: Registers | None = None
    charged_to: date | None = None
    token_count: int = 0


@fact_type("meter.usage-debited/1")
class UsageDebited(Fact, frozen=True, kw_only=True):
    """Usage of a span, priced and charged to the account that occupied the supply point then (evidence: design I6).

    Energies are milliwatt-hours, amounts micro-units. Registers are None where the meter gives intervals; behind
    transformers they count `multiplier` times the meter's own. `occupancy` is the number, from 0, of the occupancy.

    Where there are registers by time-of-use period, `usage_milliwh` is what they counted. `quantities` are what was
    metered beside the energy, or instead of it by period, as far as the tariff prices it.
    """

    supply: str
    account: str
    meter: str
    reading: UUID
    started_at: Instant
    ended_at: Instant
    opening_milliwh: int | None = None
    closing_milliwh: int | None = None
    usage_milliwh: int
    quality: str
    profile: str
    raw: str
    before: Counters
    lines: list[Line]
    amount_micros: int
    postings: list[Posting]
    source: Source
    state: MeterState
    occupancy: int = 0
    multiplier: str = "1"
    opening_registers: Registers | None = None
    closing_registers: Registers | None = None
    quantities: Quantities | None = None


@fact_type("meter.reading-held/1")
class ReadingHeld(Fact, frozen=True, kw_only=True):
    """A reading that is not billed: why, in words, and the energy it claims beyond what is billed.

    The first of a run opens an episode; later ones of the same run are counted, not recorded. One that is worse
    (the first leap, or a lesser leap that waiting would make believable) is recorded and takes the episode over.
    `import_milliwh` is the register or the interval's energy as it was given, `started_at` the interval's start:
    what an operator needs to release it.
    """

    supply: str
    meter: str
    reading: UUID
    reason: HoldReason
    detail: str
    read_at: Instant
    claimed_milliwh: int
    quality: str
    profile: str
    raw: str
    source: Source
    state: MeterState
    import_milliwh: int | None = None
    started_at: Instant | None = None


class Difference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a correction changes on one component, in one billing period, for one account; amounts in micro-units.

    `reversed_micros` were billed by the debits that were rated again, `rerated_micros` is what they come to now.
    """

    account: str
    period: str
    component: str
    reversed_micros: int
    rerated_micros: int
    amount_micros: int
    tariff: str
    version: int
    tax: bool = False
    allowance: bool = False
    at_payment: bool = False


@fact_type("meter.usage-corrected/1")
class UsageCorrected(Fact, frozen=True, kw_only=True):
    """A billed interval's energy replaced by a figure of better quality; nothing is rewritten (design I3).

    `debit_version` is the place in this stream of the debit that is corrected, `account` the account that it named.
    `replaced_milliwh` and `replaced_quality` are the figure that held until now. From that debit on, `rerated` debits
    were rated again in the order in which they were billed, starting from the counters `before`; `lines` are the
    differences that came of it, with the billing periods that they belong to. `state` is the full state after.
    `usages` are the milliwatt-hours that each account has more, where the interval lies in several occupancies.
    """

    supply: str
    account: str
    meter: str
    reading: UUID
    debit_version: int
    started_at: Instant
    ended_at: Instant
    replaced_milliwh: int
    replaced_quality: str
    usage_milliwh: int
    quality: str
    profile: str
    raw: str
    before: Counters
    rerated: int
    lines: list[Difference]
    amount_micros: int
    postings: list[Posting]
    source: Source
    state: MeterState
    usages: tuple[tuple[str, int], ...] = ()
    replaced_quantities: Quantities | None = None
    quantities: Quantities | None = None


@fact_type("meter.time-charge-debited/1")
class TimeChargeDebited(Fact, frozen=True, kw_only=True):
    """Whole local days charged to the account that occupied the supply point throughout them (evidence: design I6).

    `first_date` to `last_date`, both included, are of one billing period and one tariff version, by the tariff's own
    local calendar; mostly they are one date, several where the calendar caught up. `contracted_w` is the contracted
    power in watts, `occupancy` the number, from 0. They lasted from `started_at` to `ended_at`. The source is the
    tick that said that the dates had ended.
    """

    supply: str
    account: str
    meter: str = ""
    started_at: Instant
    ended_at: Instant
    first_date: date
    last_date: date
    contracted_w: int = 0
    before: Counters
    lines: list[Line]
    amount_micros: int
    postings: list[Posting]
    source: Source
    state: MeterState
    occupancy: int = 0


@fact_type("meter.billing-period-closed/1")
class BillingPeriodClosed(Fact, frozen=True, kw_only=True):
    """A billing period came to its end, or its occupancy did: what it was short of its minimums is charged.

    `lived_from` and `lived_until` are the local dates lived in of it, half-open, None where that has no end; the
    period, or its occupancy, lasted from `started_at` to `ended_at`. Usage of the period that comes later closes it
    again, within its own debit. `note` says why nothing could be charged.
    """

    supply: str
    account: str
    meter: str = ""
    started_at: Instant
    ended_at: Instant
    period: str
    lived_from: date | None = None
    lived_until: date | None = None
    before: Counters
    lines: list[Line]
    amount_micros: int
    postings: list[Posting]
    source: Source
    state: MeterState
    occupancy: int = 0
    note: str = ""


class StateAfter(Fact, frozen=True, kw_only=True):
    """An event of a meter stream read for the state that it leaves behind and nothing else; never written."""

    state: MeterState


def state_of(fact: Fact) -> MeterState:
    """Return the state that an event of a meter stream leaves behind; every one has it."""
    state: MeterState = getattr(fact, "state")  # noqa: B009 - their base class has none
    return state
