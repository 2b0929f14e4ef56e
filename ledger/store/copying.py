"""Rows of events in PostgreSQL's binary COPY format: a fifth of the time that parameters of INSERT would take.

Source: PostgreSQL documentation, COPY, "Binary Format".
"""

import struct
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import msgspec
from eventsourcing.persistence import StoredEvent

COPY_EVENTS = (
    "COPY ledger.events (originator_id, originator_version, topic, state, notification_id) FROM STDIN (FORMAT BINARY)"
)

# What pricing depends on: a change of these moves `control_head`, and batches priced before it price again.
PRICED_BY = ("supply.", "tariff.")

_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)
# Five fields: a uuid of 16 bytes and its length, a bigint and its length, then the length of the topic.
_HEAD = struct.Struct(">hi16siqi")
_LENGTH = struct.Struct(">i")
_POSITION = struct.Struct(">iq")
_NO_LENGTH = bytes(_LENGTH.size)
_NO_POSITION = bytes(_POSITION.size)

_encode_into: Callable[[Any, bytearray, int], None] = msgspec.json.Encoder().encode_into
_AT_END = -1


class Rows:
    """Events laid out one after the other; only their positions are filled in behind the gate.

    What can be done before the gate is taken is done before: whoever holds it holds up everybody.
    """

    def __init__(self) -> None:
        self._buffer = bytearray(_HEADER)
        self._positions_at: list[int] = []
        self._newest_control: int | None = None

    def __len__(self) -> int:
        return len(self._positions_at)

    @property
    def newest_control(self) -> int | None:
        """The number, from 0, of the last event that pricing depends on; None where there is none."""
        return self._newest_control

    def add_fact(self, stream: UUID, version: int, topic: str, fact: Any) -> None:
        """Lay out a fact as it is stored, without making its bytes first and copying them after."""
        at = self._begin(stream, version, topic)
        self._buffer += _NO_LENGTH
        _encode_into(fact, self._buffer, _AT_END)
        _LENGTH.pack_into(self._buffer, at, len(self._buffer) - at - _LENGTH.size)
        self._end()

    def add(self, event: StoredEvent) -> None:
        """Lay out an event that is bytes already."""
        self._begin(_uuid(event.originator_id), event.originator_version, event.topic)
        self._buffer += _LENGTH.pack(len(event.state))
        self._buffer += event.state
        self._end()

    def at(self, first_position: int) -> bytearray:
        """Return what COPY wants, with the positions from `first_position` on."""
        buffer, fill = self._buffer, _POSITION.pack_into
        for position, at in enumerate(self._positions_at, first_position):
            fill(buffer, at, 8, position)
        return buffer + _TRAILER

    def _begin(self, stream: UUID, version: int, topic: str) -> int:
        name = topic.encode()
        self._buffer += _HEAD.pack(5, 16, stream.bytes, 8, version, len(name))
        self._buffer += name
        if topic.startswith(PRICED_BY):
            self._newest_control = len(self._positions_at)
        return len(self._buffer)

    def _end(self) -> None:
        self._positions_at.append(len(self._buffer))
        self._buffer += _NO_POSITION


def laid_out(events: Iterable[StoredEvent]) -> Rows:
    """Return the rows of events."""
    rows = Rows()
    for event in events:
        rows.add(event)
    return rows


def _uuid(stream: UUID | str) -> UUID:
    if isinstance(stream, UUID):
        return stream
    raise TypeError(f"stream {stream!r} is not a UUID; the ledger's streams are")
