"""Kept state against folded state: what each meter stream's newest event keeps must follow from the events before it.

The counters that pricing loads are folded again from the first event, for every supply point or for a sample (I6).
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.billed import Underivable, folded_counters
from ledger.domain.event import Fact
from ledger.domain.meter import state_of
from ledger.domain.snapshot import PricingSnapshot
from ledger.integrity.findings import Finding
from ledger.store.log import newest_of, read_control_log
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

_BATCH_EVENTS = 1_000
_STREAM = (
    "SELECT originator_version, topic, state FROM ledger.events"
    " WHERE originator_id = %s AND originator_version <= %s ORDER BY originator_version"
)


def check_folding(url: str, *, sample: int | None, progress: Callable[[int, int], None]) -> Iterator[Finding]:
    """Fold supply points again, all of them or a sample; yield those whose kept counters are others."""
    with psycopg.connect(url, autocommit=True) as connection, psycopg.connect(url) as streaming:
        snapshot = _snapshot(connection)
        supplies = sorted(snapshot.supplies)
        if sample is not None and sample < len(supplies):
            supplies = sorted(random.sample(supplies, sample))
        for number, supply in enumerate(supplies, 1):
            stream = meter_stream(supply)
            newest = newest_of(connection, streams=[stream]).get(stream)
            if newest is not None:
                kept = state_of(newest.fact).counters
                events = _events(streaming, stream, upto=newest.version)
                try:
                    folded = folded_counters(events, snapshot.prices_of(snapshot.supplies[supply]))
                    found = "" if folded == kept else f"{kept}"
                    expected = f"counters of {supply} as its {newest.version} events lead to them: {folded}"
                except Underivable as error:
                    found, expected = str(error), f"counters of {supply} that its events lead to"
                if found:
                    yield Finding("fold", newest.position, newest.position, expected, found)
            progress(number, len(supplies))


def _snapshot(connection: Connection[Any]) -> PricingSnapshot:
    snapshot, after = PricingSnapshot(), 0
    while batch := read_control_log(connection, after=after, limit=_BATCH_EVENTS):
        for logged in batch:
            snapshot.apply(logged.fact)
        after = batch[-1].position
    return snapshot


def _events(connection: Connection[Any], stream: Any, *, upto: int) -> Iterator[tuple[int, Fact]]:
    with connection.transaction(), connection.cursor("fold", row_factory=tuple_row) as cursor:
        cursor.execute(_STREAM, (stream, upto))
        for version, topic, state in cursor:
            yield version, fact_of(topic, bytes(state))
