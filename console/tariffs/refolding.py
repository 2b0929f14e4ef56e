"""Price a supply point's history again from its evidence, from the first event to one debit (design I6).

Tariffs and terms are applied in the order of the log, so that each debit meets the prices that were published when it
was booked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.event import Fact
from ledger.domain.meter import UsageDebited
from ledger.domain.snapshot import PricingSnapshot
from ledger.rating.lines import Counters, Line
from ledger.rating.rate import rate
from ledger.rating.segment import Rule, segment_by
from ledger.store.log import Logged, read_control_log
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

_BATCH_EVENTS = 1_000
_STREAM = """
SELECT notification_id, originator_version, topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version
"""


@dataclass(frozen=True, slots=True)
class Refolded:
    """A debit derived again: how many events led to it, and its counters and lines as they come out."""

    events: int
    before: Counters
    after: Counters
    lines: list[Line]


def refolded(connection: Connection[Any], *, supply: str, upto: int) -> Refolded:
    """Fold a supply point's meter stream from its first event to the debit at a position of the ledger."""
    snapshot = PricingSnapshot()
    control = _control_log(connection, upto=upto)
    result = Refolded(0, Counters(), Counters(), [])
    pending = next(control, None)
    for logged in _stream(connection, meter_stream(supply), upto=upto):
        while pending is not None and pending.position < logged.position:
            snapshot.apply(pending.fact)
            pending = next(control, None)
        lines, after = _derived(snapshot, supply, logged.fact, result.after)
        result = Refolded(result.events + 1, result.after, after, lines)
    return result


def _derived(
    snapshot: PricingSnapshot, supply_code: str, fact: Fact, before: Counters
) -> tuple[list[Line], Counters]:
    """Price a debit's usage once more, from nothing but its span, its energy, the tariffs and the counters so far."""
    if not isinstance(fact, UsageDebited):
        return [], before
    known = [
        (price.starts, price.tariff)
        for price in snapshot.prices_of(snapshot.supplies[supply_code])
        if price.starts < fact.ended_at and price.tariff is not None
    ]
    if not known:
        return [], before
    rules = [Rule(starts, tariff.days) for starts, tariff in known]
    atoms = segment_by(rules, start=fact.started_at, end=fact.ended_at, energy_milliwh=fact.usage_milliwh)
    lines: list[Line] = []
    for number, group in groupby(atoms, key=lambda pair: pair[0]):
        rated = rate(known[number][1], before, [atom for _, atom in group])
        lines += rated.lines
        before = rated.counters
    return lines, before


def _stream(connection: Connection[Any], stream: UUID, *, upto: int) -> Iterator[Logged]:
    with connection.transaction(), connection.cursor("refold", row_factory=tuple_row) as cursor:
        cursor.execute(_STREAM, (stream, upto))
        for position, version, topic, state in cursor:
            yield Logged(position, stream, version, fact_of(topic, bytes(state)))


def _control_log(connection: Connection[Any], *, upto: int) -> Iterator[Logged]:
    after = 0
    while batch := read_control_log(connection, after=after, upto=upto, limit=_BATCH_EVENTS):
        yield from batch
        after = batch[-1].position
