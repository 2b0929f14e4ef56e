"""Rate a supply point's history again from its evidence, from the first event to one of them (design I6).

Prices are those of the ledger as it stood at that event: what was published later changes nothing here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from ledger.domain.billed import BilledHistory, Underivable
from ledger.domain.event import Fact
from ledger.domain.snapshot import Price, PricingSnapshot
from ledger.rating.lines import FRESH, Counters
from ledger.store.log import read_control_log
from ledger.store.mapper import fact_of
from ledger.values.identity import meter_stream

_BATCH_EVENTS = 1_000
_STREAM = """
SELECT originator_version, notification_id, topic, state FROM ledger.events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version
"""


@dataclass(slots=True)
class Refolded:
    """An event derived again: how many events it is the last of, the counters around it, and what it changed.

    `amounts` are micro-units per component. `underivable` says why nothing comes out, and is empty where it does.
    """

    events: int = 0
    before: Counters = field(default_factory=Counters)
    after: Counters = field(default_factory=Counters)
    amounts: dict[str, int] = field(default_factory=dict)
    underivable: str = ""


def refolded(connection: Connection[Any], *, supply: str, upto: int) -> Refolded:
    """Fold a supply point's meter stream from its first event to the one at a position of the ledger."""
    prices = _prices(connection, supply, upto=upto)
    history, result = BilledHistory(), Refolded()
    earlier: dict[str, int] = {}
    try:
        for version, position, fact in _stream(connection, supply, upto=upto):
            if position == upto:
                occupancy = getattr(fact, "occupancy", history.occupancy)
                result.before = history.counters(prices).get(occupancy, FRESH)
                earlier = _amounts(history)
            history.take(version, fact)
            result.events += 1
        result.after = history.counters(prices).get(history.occupancy, FRESH)
    except Underivable as error:
        result.underivable = str(error)
    changed = {name: amount - earlier.get(name, 0) for name, amount in _amounts(history).items()}
    result.amounts = {name: amount for name, amount in changed.items() if amount}
    return result


def _amounts(history: BilledHistory) -> dict[str, int]:
    """Sum up what all debits so far come to."""
    totals: dict[str, int] = {}
    for span in history.spans:
        for item, amount in span.amounts.items():
            totals[item.component] = totals.get(item.component, 0) + amount
    return totals


def _prices(connection: Connection[Any], supply: str, *, upto: int) -> tuple[Price, ...]:
    """Return the supply point's prices as they were known at a position of the ledger."""
    snapshot, after = PricingSnapshot(), 0
    while batch := read_control_log(connection, after=after, upto=upto, limit=_BATCH_EVENTS):
        for logged in batch:
            snapshot.apply(logged.fact)
        after = batch[-1].position
    return snapshot.prices_of(snapshot.supplies[supply])


def _stream(connection: Connection[Any], supply: str, *, upto: int) -> Iterator[tuple[int, int, Fact]]:
    with connection.transaction(), connection.cursor("refold", row_factory=tuple_row) as cursor:
        cursor.execute(_STREAM, (meter_stream(supply), upto))
        for version, position, topic, state in cursor:
            yield version, position, fact_of(topic, bytes(state))
