"""Relays: what is wanted, what was read back, which locks stand, and what became of the newest order."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg import Connection, Cursor
from psycopg.rows import tuple_row
from psycopg.sql import SQL, Identifier

from ledger.domain import relay as domain
from ledger.domain.event import Fact
from ledger.domain.relay import OrderIssued, Relay
from ledger.store.log import Logged
from ledger.store.mapper import fact_of
from ledger.values.identity import relay_stream
from projections.arrays import columns
from projections.model import LIVE, ReadModel, Table
from projections.switching import Switching, switched

RELAY_FACTS = (
    domain.LowBalanceWarned,
    domain.WarningCleared,
    domain.LockSet,
    domain.LockCleared,
    domain.CloseConsented,
    domain.GraceBegun,
    domain.GraceExtended,
    domain.ForcedOn,
    domain.ForcingEnded,
    domain.OrderIssued,
    domain.OrderConcluded,
)

_memory = msgspec.json.Decoder(domain.Memory).decode
# The newest order is read where it stands in the stream; the row keeps what queries need of it.
_READ = SQL("""
SELECT r.supply, r.version, r.desired, r.actual, r.locks, r.warned, r.order_outcome, r.consented_at,
       r.memory::text, r.order_readback, r.attempts, r.disconnections, r.reconnections, e.topic, e.state
FROM unnest(%s::text[], %s::uuid[]) AS s (supply, stream)
JOIN {schema}.relay AS r ON r.supply = s.supply
LEFT JOIN ledger.events AS e ON e.originator_id = s.stream AND e.originator_version = r.order_sequence
""")
_UPSERT = SQL("""
INSERT INTO {schema}.relay (supply, version, desired, actual, locks, warned, order_sequence, order_outcome,
    order_readback, order_issued_at, order_expires_at, attempts, disconnections, reconnections, consented_at,
    memory, position)
SELECT supply, version, desired, actual, string_to_array(locks, ','), warned, order_sequence,
    order_outcome, order_readback, order_issued_at, order_expires_at, attempts, disconnections, reconnections,
    consented_at, memory::jsonb, position
FROM unnest(%s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[], %s::boolean[], %s::bigint[], %s::text[],
    %s::text[], %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],
    %s::text[], %s::bigint[])
    AS n (supply, version, desired, actual, locks, warned, order_sequence, order_outcome, order_readback,
          order_issued_at, order_expires_at, attempts, disconnections, reconnections, consented_at, memory,
          position)
ON CONFLICT (supply) DO UPDATE SET
    version = excluded.version, desired = excluded.desired, actual = excluded.actual, locks = excluded.locks,
    warned = excluded.warned, order_sequence = excluded.order_sequence, order_outcome = excluded.order_outcome,
    order_readback = excluded.order_readback, order_issued_at = excluded.order_issued_at,
    order_expires_at = excluded.order_expires_at,
    attempts = excluded.attempts, disconnections = excluded.disconnections,
    reconnections = excluded.reconnections, consented_at = excluded.consented_at, memory = excluded.memory,
    position = excluded.position
""")


def switchings(connection: Connection[Any], *, supplies: Iterable[str], schema: str = LIVE) -> dict[str, Switching]:
    """Return the projected state of these relays; those without a history are as new."""
    codes = list(supplies)
    found = {code: Switching(Relay(supply=code)) for code in codes}
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(_READ.format(schema=Identifier(schema)), (codes, [relay_stream(code) for code in codes]))
        for row in cursor:
            found[row[0]] = _switching(row)
    return found


def _switching(row: tuple[Any, ...]) -> Switching:
    supply, version, desired, actual, locks, warned, outcome, consented_at, memory, *of_order, topic, state = row
    order: Fact | None = fact_of(topic, bytes(state)) if topic else None
    relay = Relay(
        supply=supply,
        desired=desired,
        actual=actual,
        locks=frozenset(locks),
        warned=warned,
        order=order if isinstance(order, OrderIssued) else None,
        order_outcome=outcome or None,
        consented_at=consented_at,
        version=version,
        memory=_memory(memory),
    )
    return Switching(relay, *of_order)


def project(cursor: Cursor[Any], events: Sequence[Logged], schema: str) -> None:
    """Add a batch to the relays it touches."""
    ours = [(event.fact, event.position) for event in events if isinstance(event.fact, RELAY_FACTS)]
    if not ours:
        return
    states = switchings(cursor.connection, supplies={fact.supply for fact, _ in ours}, schema=schema)
    positions: dict[str, int] = {}
    for fact, position in ours:
        states[fact.supply] = switched(states[fact.supply], fact)
        positions[fact.supply] = position
    rows = [_row(states[supply], position) for supply, position in positions.items()]
    cursor.execute(_UPSERT.format(schema=Identifier(schema)), columns(rows))


def _row(switching: Switching, position: int) -> tuple[object, ...]:
    relay, order = switching.relay, switching.relay.order
    return (
        relay.supply,
        relay.version,
        relay.desired,
        relay.actual,
        ",".join(sorted(relay.locks)),
        relay.warned,
        order.sequence if order else 0,
        relay.order_outcome or "",
        switching.readback,
        order.issued_at if order else None,
        order.expires_at if order else None,
        switching.attempts,
        switching.disconnections,
        switching.reconnections,
        relay.consented_at,
        msgspec.json.encode(relay.memory).decode(),
        position,
    )


MODEL = ReadModel("relay", (Table("relay", ("supply",)),), project, passes_over_usage=True)
