"""Tokens of a supply point, in its Meter stream, of which the vending use cases are the only writers then.

No digits are here: they are worked out from the count, the units and the meter's secrets, which are no events.
"""

from datetime import datetime
from typing import Literal

from ledger.domain.event import Fact, Posting, fact_type
from ledger.domain.meter import MeterState, Source
from ledger.rating.lines import Counters, Line
from ledger.wire import Instant

TokenKind = Literal["set", "disable", "counter-sync"]


@fact_type("meter.energy-vended/1")
class EnergyVended(Fact, frozen=True, kw_only=True):
    """A token that adds `units` of `unit_milliwh` each: priced, and charged, as it was issued (evidence: design I6).

    `count` is the token's own, which no other token of the meter has. The energy is rated as if it were used at
    `vended_at`, from the counters `before`.
    """

    supply: str
    account: str
    meter: str
    count: int
    units: int
    unit_milliwh: int
    usage_milliwh: int
    vended_at: Instant
    before: Counters
    lines: list[Line]
    amount_micros: int
    postings: list[Posting]
    operator: str
    key_hash: str
    source: Source
    state: MeterState
    occupancy: int = 0


@fact_type("meter.token-issued/1")
class TokenIssued(Fact, frozen=True, kw_only=True):
    """A token that moves no money: it sets the meter's credit to `units`, unlocks it for good, or syncs its counter.

    Every token that adds and was not entered by then is void for the meter.
    """

    supply: str
    meter: str
    kind: TokenKind
    count: int
    units: int
    reason: str
    operator: str
    key_hash: str
    source: Source
    state: MeterState


def next_count(count: int, *, adds: bool) -> int:
    """Return the count of the next token: even ones add, odd ones do all else, as OpenPAYGO has it."""
    if adds:
        return count + 1 if count % 2 else count + 2
    return count + 2 if count % 2 else count + 1


def no_message(now: datetime) -> Source:
    """Return the source of what no message led to: a command, at an instant."""
    return Source(partition=-1, message_offset=-1, published_at=now)
