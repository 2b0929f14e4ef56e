"""What messages of `relay-results` mean: the outcome of an order, recorded once in its relay's stream; heartbeats.

A relay's stream has several writers (use cases, `control`, this), so the outcome is decided inside the gate.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import TupleRow

from ledger import wire
from ledger.domain.event import Event, Fact
from ledger.domain.relay import OrderConcluded, OrderIssued
from ledger.store.applied import DeadLetter, Partition, keep_dead_letters
from ledger.store.gate import Gate
from ledger.store.heartbeats import keep_heartbeats
from ledger.store.mapper import fact_of, stored
from ledger.values.identity import relay_stream
from streams.message import Message


@dataclass(slots=True)
class ResultsDraft:
    """Results read, the messages that are none, and after `append` the outcomes that were new."""

    recorded_at: datetime
    results: list[tuple[Message, wire.RelayResult]] = field(default_factory=list)
    heartbeats: list[tuple[wire.Heartbeat, datetime]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    concluded: list[OrderConcluded] = field(default_factory=list)
    repeated: int = 0


class ResultsDrafter:
    """Takes in what became of relay orders."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> ResultsDraft:  # noqa: ARG002
        """Decode the messages; the streams are read in the gate."""
        draft = ResultsDraft(self._clock())
        for message in messages:
            try:
                found = wire.decode_edge_message(message.value or b"")
            except wire.WireError as error:
                draft.dead_letters.append(_dead(message, error.reason, error.detail))
                continue
            if isinstance(found, wire.Heartbeat):
                draft.heartbeats.append((found, message.published_at))
            else:
                draft.results.append((message, found))
        return draft

    def append(self, gate: Gate, draft: ResultsDraft) -> None:
        """Record each outcome that its relay's stream does not have yet."""
        for message, result in draft.results:
            facts = _facts(gate.cursor, result.supply)
            order = _order(facts, result)
            if order is None:
                detail = f"supply {result.supply!r} has no order {result.order}"
                draft.dead_letters.append(_dead(message, "unknown-order", detail))
                continue
            fact = OrderConcluded(
                supply=result.supply,
                order=result.order,
                sequence=order.sequence,
                outcome=result.outcome,
                readback=result.readback,
                concluded_at=result.at,
                detail=result.detail,
                recorded_at=draft.recorded_at,
            )
            if _is_known(facts, fact):
                draft.repeated += 1
                continue
            gate.append([stored(Event(relay_stream(result.supply), len(facts) + 1, fact))])
            draft.concluded.append(fact)
        keep_heartbeats(gate.cursor, draft.heartbeats)
        keep_dead_letters(gate.cursor, draft.dead_letters)

    def adopt(self, draft: ResultsDraft) -> None:
        """Nothing is remembered between batches."""

    def landed(self) -> None:
        """Nothing is remembered that would have to wait for that."""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Nothing is remembered between batches."""


def _facts(cursor: Cursor[TupleRow], supply: str) -> list[Fact]:
    cursor.execute(
        "SELECT topic, state FROM ledger.events WHERE originator_id = %s ORDER BY originator_version",
        (relay_stream(supply),),
        prepare=True,
    )
    return [fact_of(topic, bytes(state)) for topic, state in cursor.fetchall()]


def _order(facts: Sequence[Fact], result: wire.RelayResult) -> OrderIssued | None:
    return next((fact for fact in facts if isinstance(fact, OrderIssued) and fact.order == result.order), None)


def _is_known(facts: Sequence[Fact], concluded: OrderConcluded) -> bool:
    """An order sent again is answered again; only an answer that says something else is news."""
    last = next(
        (fact for fact in reversed(facts) if isinstance(fact, OrderConcluded) and fact.order == concluded.order), None
    )
    return last is not None and (last.outcome, last.readback) == (concluded.outcome, concluded.readback)


def _dead(message: Message, reason: str, detail: str) -> DeadLetter:
    return DeadLetter(message.partition, message.offset, reason, detail, message.key, message.value)
