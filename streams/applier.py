"""Exactly once from Kafka: the batch protocol (design §3). The ledger, not Kafka, is the authority on positions.

A batch is prepared against what this worker believes, then appended in one transaction that holds the gate and moves
the positions. Where the belief proves wrong, nothing is committed and the batch is prepared again on the truth.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import psycopg
import structlog
from psycopg import Connection

from ledger.store.applied import Applied, Partition, locked_positions, move_positions
from ledger.store.gate import Gate, gated
from streams.errors import StreamError
from streams.message import Message

log = structlog.get_logger()

D = TypeVar("D")

_ATTEMPTS = 50
# After as many refusals a batch is prepared inside the gate, where nothing can change under it: a stream of control
# changes faster than a batch is priced must not keep money from moving.
_PATIENT_ATTEMPTS = 3
_RECONNECT_PAUSE_S = 0.2
_RECONNECT_MAX_PAUSE_S = 5.0
# The server ends a transaction whose process was stopped in the middle, so that it does not hold the gate for ever.
LOST = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.IdleInTransactionSessionTimeout)


class Stale(StreamError):
    """The batch was prepared on a picture that has changed since; prepare it again."""


class Drafter(Protocol[D]):
    """What a topic's messages mean: prepared before the gate, appended in it, adopted once committed."""

    def prepare(self, connection: Connection[Any], messages: Sequence[Message]) -> D:
        """Compute what the messages lead to; may read, must not write."""

    def append(self, gate: Gate, draft: D) -> None:
        """Append the draft in the gate; raises Stale where it no longer holds."""

    def adopt(self, draft: D) -> None:
        """Take the draft over as what is believed: it is committed, or about to be."""

    def landed(self) -> None:
        """Know that whatever was adopted is committed."""

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Drop what is believed of these partitions: someone else may have written."""


class Moved(StreamError):
    """The ledger's positions are not what this worker believed."""

    def __init__(self, positions: dict[Partition, Applied]) -> None:
        super().__init__(f"positions are {positions}")
        self.positions = positions


class Prepared(NamedTuple, Generic[D]):
    """A batch ready to be committed: its draft, where the partitions must stand before, and where they will."""

    draft: D
    before: dict[Partition, Applied]
    target: dict[Partition, Applied]


class Applier(Generic[D]):
    """Applies batches of messages to the ledger, each exactly once; used from one thread at a time."""

    def __init__(self, *, connect: Callable[[], Connection[Any]], drafter: Drafter[D]) -> None:
        self._connect = connect
        self._connection: Connection[Any] | None = None
        self._drafter = drafter
        self._positions: dict[Partition, Applied] = {}
        self._must_relearn = threading.Event()

    @property
    def must_relearn(self) -> bool:
        """Tell whether nothing is to be believed any more."""
        return self._must_relearn.is_set()

    def relearn(self) -> None:
        """Believe nothing any more, from the next batch on: partitions were assigned anew. Safe from any thread."""
        self._must_relearn.set()

    def apply(self, messages: Sequence[Message]) -> D | None:
        """Apply what follows the positions in a batch; return the committed draft, None where nothing did.

        Messages of a partition must ascend. Where one skips offsets, it and what comes after it are left: ask
        `behind`. Any error means that this process must end.
        """
        for attempt in range(_ATTEMPTS):
            try:
                return self._attempt(messages, in_gate=attempt >= _PATIENT_ATTEMPTS)
            except Moved as moved:
                self._believe(moved.positions)
            except Stale as stale:
                log.debug("batch prepared again", reason=str(stale))
            except psycopg.errors.UniqueViolation as error:
                log.warning("a stream moved under this worker; its batch is prepared again", error=str(error))
                self._drafter.forget({message.partition for message in messages})
            except LOST as error:
                log.warning("the database did not answer; asking it what was committed", error=str(error))
                self._reconnect({message.partition for message in messages})
        raise StreamError(f"a batch of {len(messages)} messages was refused {_ATTEMPTS} times; see the log above")

    def behind(self, messages: Sequence[Message]) -> dict[Partition, int]:
        """Return where to read again the partitions whose messages could not all be applied: the batch has a gap."""
        return {
            message.partition: self._positions[message.partition].offset + 1
            for message in _last_of_each(messages)
            if message.partition in self._positions and message.offset > self._positions[message.partition].offset
        }

    def reached(self, partition: Partition) -> int | None:
        """Return the offset up to which a partition is applied; None where this worker does not know."""
        applied = self._positions.get(partition)
        return None if applied is None else applied.offset

    def prepared(self, messages: Sequence[Message]) -> Prepared[D] | None:
        """Prepare what follows the positions that are believed; None where nothing does."""
        connection = self._open_connection()
        todo = self._to_do(connection, messages)
        if not todo:
            return None
        target = _target(todo)
        before = {partition: self._positions[partition] for partition in target}
        return Prepared(self._drafter.prepare(connection, todo), before, target)

    def commit(self, connection: Connection[Any], prepared: Prepared[D]) -> None:
        """Append a prepared batch where the ledger is as it was prepared for.

        Raises Moved or Stale where it is not, and then has changed nothing. May run in another thread.
        """
        with gated(connection) as gate:
            positions = locked_positions(gate.cursor, prepared.target)
            if positions != prepared.before:
                raise Moved(positions)
            self._drafter.append(gate, prepared.draft)
            move_positions(gate.cursor, prepared.target)

    def believe(self, prepared: Prepared[D]) -> None:
        """Believe in a batch that is about to be committed."""
        self._positions.update(prepared.target)
        self._drafter.adopt(prepared.draft)

    def landed(self) -> None:
        """Know that all that was believed is committed."""
        self._drafter.landed()

    def distrust(self, prepared: Prepared[D]) -> None:
        """Believe no more in a batch, nor in anything about its partitions."""
        self._drafter.forget(prepared.target)
        self._drafter.landed()
        for partition in prepared.target:
            self._positions.pop(partition, None)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def _attempt(self, messages: Sequence[Message], *, in_gate: bool) -> D | None:
        connection = self._open_connection()
        todo = self._to_do(connection, messages)
        if not todo:
            return None
        target = _target(todo)
        prepared = [] if in_gate else [self._drafter.prepare(connection, todo)]
        try:
            with gated(connection) as gate:
                positions = locked_positions(gate.cursor, target)
                if any(positions[partition] != self._positions[partition] for partition in target):
                    raise Moved(positions)
                draft = prepared[0] if prepared else self._drafter.prepare(connection, todo)
                prepared = [draft]
                self._drafter.append(gate, draft)
                move_positions(gate.cursor, target)
        except LOST as error:
            # A lost COMMIT reply: the truth is in the positions, and only there.
            if not self.was_committed(target, error):
                raise Moved(self._read_locked(target)) from error
            # Committed, but perhaps by another worker while this one waited for the gate, and priced on another
            # snapshot: what the streams hold now is read anew, not taken from this draft.
            self._positions.update(target)
            self._drafter.forget(target)
            return prepared[0] if prepared else None
        self._positions.update(target)
        self._drafter.adopt(prepared[0])
        self._drafter.landed()
        return prepared[0]

    def _to_do(self, connection: Connection[Any], messages: Sequence[Message]) -> list[Message]:
        """Return what of a batch follows the positions, learning those that are not known."""
        if self._must_relearn.is_set():
            self._must_relearn.clear()
            self._drafter.forget(self._positions)
            self._positions.clear()
        self._learn(connection, {message.partition for message in messages})
        return self._not_applied(messages)

    def was_committed(self, target: dict[Partition, Applied], error: Exception) -> bool:
        """Tell, once the ledger answers again, whether a batch whose COMMIT got no reply was committed."""
        log.warning("a commit's reply was lost; comparing positions", error=str(error))
        self._reconnect(())
        return self._read_locked(target) == target

    def _read_locked(self, partitions: Iterable[Partition]) -> dict[Partition, Applied]:
        """Read positions behind whoever holds the gate, so that a commit under way is seen through."""
        while True:
            try:
                with gated(self._open_connection()) as gate:
                    return locked_positions(gate.cursor, partitions)
            except LOST as error:
                log.warning("the database does not answer; waiting for it", error=str(error))
                self._reconnect(())

    def _not_applied(self, messages: Sequence[Message]) -> list[Message]:
        """Return what comes right after the positions; offsets at or below them are applied already."""
        reached = {partition: applied.offset for partition, applied in self._positions.items()}
        todo: list[Message] = []
        for message in messages:
            if message.offset == reached[message.partition] + 1:
                reached[message.partition] = message.offset
                todo.append(message)
        return todo

    def _learn(self, connection: Connection[Any], partitions: set[Partition]) -> None:
        unknown = partitions - set(self._positions)
        if unknown:
            with gated(connection) as gate:
                self._positions.update(locked_positions(gate.cursor, unknown))

    def _believe(self, positions: dict[Partition, Applied]) -> None:
        log.info("positions were moved by another worker", partitions=len(positions))
        self._drafter.forget(positions)
        self._positions.update(positions)

    def _open_connection(self) -> Connection[Any]:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _reconnect(self, partitions: Iterable[Partition]) -> None:
        """Open a new connection, however long that takes: nothing can be decided without the ledger."""
        self._drafter.forget(partitions)
        pause_s = _RECONNECT_PAUSE_S
        while True:
            try:
                if self._connection is not None:
                    self._connection.close()
                self._connection = self._connect()
                return
            except LOST as error:
                log.warning("the database cannot be reached; trying again", pause_s=pause_s, error=str(error))
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, _RECONNECT_MAX_PAUSE_S)


def _target(messages: Sequence[Message]) -> dict[Partition, Applied]:
    # Messages ascend, so the last one of each partition wins.
    return {message.partition: message.applied for message in _last_of_each(messages)}


def _last_of_each(messages: Sequence[Message]) -> Iterable[Message]:
    return {message.partition: message for message in messages}.values()
