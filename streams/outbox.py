"""The ledger as outbox of relay orders: what is ordered and not answered is sent, at least once (design §5).

One publisher at a time (elected by an advisory lock) tails the log of orders and outcomes into a small table, and
sends what is due from there. Dead letters go to their topic from their table in the same way.
"""

from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.rows import tuple_row

from ledger import wire
from ledger.domain.relay import OrderConcluded, OrderIssued
from ledger.store.log import Logged, head_of, read_control_log

# Any number that nothing else here locks; it names the publisher's office.
_ADVISORY_LOCK = 7_203_001
# A copy must fit into a message, whatever the size of what could not be read; the row keeps it whole.
_COPIED_BYTES = 200_000
_COPIED_DETAIL = 2_000


@dataclass(frozen=True, slots=True)
class DeadLetterCopy:
    """A dead letter on its way to the topic."""

    id: int
    key: bytes | None
    value: bytes


def take_office(connection: Connection[Any]) -> bool:
    """Become the publisher, for as long as this connection lives; False where another one is."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s) AS won", (_ADVISORY_LOCK,)).fetchone()
    return bool(row is not None and row[0])


def command_of(order: OrderIssued) -> wire.RelayCommand:
    """Return the command that was signed when the order was issued."""
    return wire.RelayCommand(
        order=order.order,
        sequence=order.sequence,
        concentrator=order.concentrator,
        supply=order.supply,
        meter=order.meter,
        action=order.action,
        reason=order.reason,
        ledger_position=order.ledger_position,
        issued_at=order.issued_at,
        expires_at=order.expires_at,
        signature=order.signature,
    )


def take_in_news(connection: Connection[Any]) -> int:
    """Bring the table of unanswered orders up to date with the log; return how many entries were read."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("SELECT position FROM ledger.outbox FOR UPDATE")
        row = cursor.fetchone()
        position = 0 if row is None else row[0]
        head, _ = head_of(connection)
        page = read_control_log(connection, after=position, upto=head, limit=2_000)
        for entry in page:
            _take_in(connection, entry)
        reached = page[-1].position if len(page) == 2_000 else head
        if reached > position:
            cursor.execute("UPDATE ledger.outbox SET position = %s", (reached,))
    return len(page)


def due_orders(connection: Connection[Any], *, resend_after_s: float, limit: int = 500) -> list[wire.RelayCommand]:
    """Return unanswered orders that were never sent, or not lately; drop those that have expired."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute("DELETE FROM ledger.outbox_orders WHERE expires_at < now()")
        cursor.execute(
            "SELECT command FROM ledger.outbox_orders"
            " WHERE sent_at IS NULL OR sent_at < now() - make_interval(secs => %s)"
            " ORDER BY sent_at NULLS FIRST, supply LIMIT %s",
            (resend_after_s, limit),
        )
        return [wire.decode_command(bytes(row[0])) for row in cursor.fetchall()]


def mark_sent(connection: Connection[Any], commands: list[wire.RelayCommand]) -> None:
    """Remember that the broker has these orders."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE ledger.outbox_orders SET sent_at = now(), attempts = attempts + 1"
            " WHERE supply = %s AND sequence = %s",
            [(command.supply, command.sequence) for command in commands],
        )


def unpublished_dead_letters(connection: Connection[Any], *, limit: int = 100) -> list[DeadLetterCopy]:
    """Return dead letters that are not on their topic yet, as JSON that says where they came from and why."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(
            "SELECT id, cluster, topic, partition, message_offset, reason, detail, key, payload"
            " FROM ledger.dead_letters WHERE published_at IS NULL ORDER BY id LIMIT %s",
            (limit,),
        )
        return [_copy(row) for row in cursor.fetchall()]


def mark_published(connection: Connection[Any], letters: list[DeadLetterCopy]) -> None:
    """Remember that the broker has these dead letters."""
    connection.execute(
        "UPDATE ledger.dead_letters SET published_at = now() WHERE id = ANY(%s)", ([letter.id for letter in letters],)
    )


def _take_in(connection: Connection[Any], entry: Logged) -> None:
    fact = entry.fact
    if isinstance(fact, OrderIssued):
        connection.execute(
            "INSERT INTO ledger.outbox_orders AS o (supply, sequence, expires_at, command) VALUES (%s, %s, %s, %s)"
            " ON CONFLICT (supply) DO UPDATE SET sequence = excluded.sequence, expires_at = excluded.expires_at,"
            " command = excluded.command, attempts = 0, sent_at = NULL WHERE o.sequence < excluded.sequence",
            (fact.supply, fact.sequence, fact.expires_at, wire.encode(command_of(fact))),
        )
    elif isinstance(fact, OrderConcluded):
        connection.execute(
            "DELETE FROM ledger.outbox_orders WHERE supply = %s AND sequence <= %s", (fact.supply, fact.sequence)
        )


def _copy(row: tuple[Any, ...]) -> DeadLetterCopy:
    names = ("cluster", "topic", "partition", "offset", "reason", "detail")
    document = dict(zip(names, row[1:7], strict=True))
    document["detail"] = document["detail"][:_COPIED_DETAIL]
    payload = None if row[8] is None else bytes(row[8])
    document["payload"] = None if payload is None else payload[:_COPIED_BYTES].hex()
    document["payload_bytes"] = None if payload is None else len(payload)
    key = None if row[7] is None else bytes(row[7])[:_COPIED_DETAIL]
    return DeadLetterCopy(row[0], key, msgspec.json.encode(document))
