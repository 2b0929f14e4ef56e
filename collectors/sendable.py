"""What may go into the spool or onto the topic: only what the ledger can read, by the decoder that it uses.

One message that it cannot read would never be acknowledged, and every later sweep of its concentrator would wait
behind it for ever. Site and interval files are checked so that this cannot happen; this is the net below them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from collectors.errors import Unsendable
from ledger import wire

# Brokers refuse messages above a mebibyte, as they come; a refused one would block those behind it for ever.
_MESSAGE_BYTES_MAX = 700_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A reading that cannot be sent: its meter, and why."""

    meter: str
    problem: str


def message_of(sweep: wire.Sweep) -> bytes:
    """Encode a sweep; raises Unsendable where the ledger could not read it again."""
    try:
        message = wire.encode(sweep)
        wire.decode_meter_message(message)
    except (wire.WireError, UnicodeEncodeError, OverflowError) as error:
        raise Unsendable(
            f"sweep {sweep.sequence} of {sweep.concentrator!r} cannot be read by the ledger: {error}"
        ) from None
    return message


def sendable_part(sweep: wire.Sweep) -> tuple[wire.Sweep, list[Dropped]]:
    """Return the sweep less the readings that the ledger could not read, and those with what is wrong with them."""
    kept: list[wire.Reading] = []
    dropped: list[Dropped] = []
    for reading in sweep.readings:
        try:
            message_of(msgspec.structs.replace(sweep, readings=[reading]))
        except Unsendable as error:
            body = reading.register or reading.interval
            dropped.append(Dropped(meter="" if body is None else body.meter, problem=str(error)))
        else:
            kept.append(reading)
    return msgspec.structs.replace(sweep, readings=kept), dropped


def parts_of(readings: Sequence[wire.Reading]) -> list[Sequence[wire.Reading]]:
    """Cut a sweep's readings, in order, into parts that a broker takes as messages: mostly one."""
    parts: list[Sequence[wire.Reading]] = []
    start, size = 0, 0
    for index, reading in enumerate(readings):
        length = _length(reading)
        if index > start and size + length > _MESSAGE_BYTES_MAX:
            parts.append(readings[start:index])
            start, size = index, 0
        size += length
    return [*parts, readings[start:]]


def _length(reading: wire.Reading) -> int:
    """Return about how many bytes a reading takes in a message."""
    try:
        return len(wire.encode(reading)) + 1
    except (UnicodeEncodeError, OverflowError):
        return 0  # It will not go in at all.
